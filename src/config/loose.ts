/**
 * A configuration with holes: what an issue was found in is undefined, and everything else can still be
 * checked, so that one run lists all there is to say.
 */
export type Loose<T> = T extends readonly (infer Item)[]
  ? (Loose<Item> | undefined)[]
  : T extends object
    ? { [Key in keyof T]?: Loose<T[Key]> | undefined }
    : T;

/** Sets the values at these paths to undefined; their keys stay. */
export function punchHoles(root: unknown, paths: readonly (readonly string[])[]): void {
  for (const path of paths) {
    let holder: unknown = root;
    for (const key of path.slice(0, -1))
      holder = (holder as Record<string, unknown> | null | undefined)?.[key];
    const last = path.at(-1);
    if (last === undefined || typeof holder !== "object" || holder === null) continue;
    if (Object.hasOwn(holder, last)) (holder as Record<string, unknown>)[last] = undefined;
  }
}

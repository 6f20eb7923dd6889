/**
 * A value with holes: what an issue was found in is undefined, and everything else can still be checked, so that one
 * run lists all there is to say.
 */
export type Loose<T> = T extends readonly (infer Item)[]
  ? (Loose<Item> | undefined)[]
  : T extends object
    ? { [Key in keyof T]?: Loose<T[Key]> | undefined }
    : T;

type Branch = Record<string | number, unknown>;

/** The value with undefined at these paths; the keys stay. Only what leads to a hole is copied, nothing is changed. */
export function withHoles<T>(root: T, paths: readonly (readonly (string | number)[])[]): Loose<T> {
  const copies = new Set<unknown>();
  const copyOf = (value: object): Branch => {
    if (copies.has(value)) return value as Branch;
    const copy = (Array.isArray(value) ? [...(value as unknown[])] : { ...value }) as Branch;
    copies.add(copy);
    return copy;
  };
  const punch = (value: unknown, path: readonly (string | number)[]): unknown => {
    const [key, ...rest] = path;
    if (key === undefined || typeof value !== "object" || value === null || !Object.hasOwn(value, key)) {
      return value;
    }
    const copy = copyOf(value);
    copy[key] = rest.length === 0 ? undefined : punch(copy[key], rest);
    return copy;
  };
  return paths.reduce<unknown>(punch, root) as Loose<T>;
}

/** `failure_share` → `failureShare`. */
export type CamelCase<Key> = Key extends `${infer First}_${infer Rest}`
  ? `${First}${Capitalize<CamelCase<Rest>>}`
  : Key;

/** An object of the configuration as the code names its keys; objects in it too, lists as they are. */
export type CamelKeys<Value> = Value extends readonly (infer Item)[]
  ? readonly Item[]
  : Value extends object
    ? { readonly [Key in keyof Value as CamelCase<Key>]: CamelKeys<Value[Key]> }
    : Value;

/**
 * An object of the configuration with its keys as the code writes them: `open_ms` becomes `openMs`.
 *
 * So a setting is named once, in the schema: its type and its value follow from there.
 */
export function camelKeys<const Value>(value: Value): CamelKeys<Value> {
  const camel = (key: string): string =>
    key.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
  return mapKeys(value, camel) as CamelKeys<Value>;
}

/** The reverse of camelKeys: an object with its keys as the configuration and the API write them. */
export function snakeKeys(value: object): Record<string, unknown> {
  const snake = (key: string): string => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return mapKeys(value, snake) as Record<string, unknown>;
}

function mapKeys(value: unknown, change: (key: string) => string): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, child]) => [change(key), mapKeys(child, change)]),
  );
}

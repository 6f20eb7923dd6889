/**
 * A map that is never changed: a change gives another one, which shares all but a few hundredths with it. So thousands
 * of apps cost no more per change than a few, and who looked things up in the old one still finds what was there.
 */
export interface BucketMap<Value> {
  readonly size: number;
  get(key: string): Value | undefined;
  /** The map with these changes; a value of null removes. */
  with(changes: Iterable<readonly [key: string, value: Value | null]>): BucketMap<Value>;
  values(): Generator<Value, void>;
}

const bucketCount = 256;

export function createBucketMap<Value>(): BucketMap<Value> {
  return wrap(
    Array.from({ length: bucketCount }, () => emptyBucket as ReadonlyMap<string, Value>),
    0,
  );
}

const emptyBucket: ReadonlyMap<string, never> = new Map<string, never>();

function wrap<Value>(buckets: readonly ReadonlyMap<string, Value>[], size: number): BucketMap<Value> {
  return {
    size,
    get: (key) => buckets[bucketOf(key)]?.get(key),
    with(changes) {
      const next = [...buckets];
      const copied = new Map<number, Map<string, Value>>();
      let count = size;
      for (const [key, value] of changes) {
        const at = bucketOf(key);
        let bucket = copied.get(at);
        if (bucket === undefined) {
          bucket = new Map(buckets[at]);
          copied.set(at, bucket);
          next[at] = bucket;
        }
        if (bucket.has(key)) count -= 1;
        if (value === null) bucket.delete(key);
        else {
          bucket.set(key, value);
          count += 1;
        }
      }
      return wrap(next, count);
    },
    *values() {
      for (const bucket of buckets) yield* bucket.values();
    },
  };
}

/** FNV-1a over UTF-16 units, folded to a bucket. */
function bucketOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < key.length; at += 1) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
  return (hash ^ (hash >>> 16)) & (bucketCount - 1);
}

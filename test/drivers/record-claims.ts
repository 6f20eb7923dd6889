import { describe, expect, test } from "bun:test";
import type { RecordStore } from "../../src/queue/records.ts";
import { until } from "../support/until.ts";

/** One process on the backend. */
export interface RecordProcess {
  readonly records: RecordStore;
  open(): Promise<void>;
  close(): Promise<void>;
}

/** An open process that closes by itself. */
export interface OpenRecords extends AsyncDisposable {
  readonly records: RecordStore;
  /** What listeners were told. */
  readonly told: readonly string[];
}

export async function openRecords(process: RecordProcess): Promise<OpenRecords> {
  const told: string[] = [];
  process.records.onChange((why) => void told.push(why));
  await process.open();
  return { records: process.records, told, [Symbol.asyncDispose]: () => process.close() };
}

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (value: Uint8Array | null): string | null =>
  value === null ? null : new TextDecoder().decode(value);

/** Everything that is there, by key; removed ones are null. Asked for in small pages. */
export async function everything(
  records: RecordStore,
  after = 0,
  limit = 3,
): Promise<Record<string, string | null>> {
  const found: Record<string, string | null> = {};
  for (let from = after; ;) {
    const page = await records.changes(from, limit);
    for (const { key, value, revision } of page.records) {
      expect(revision).toBeGreaterThan(from);
      from = revision;
      found[key] = textOf(value);
    }
    if (!page.more) return found;
  }
}

/** Writes whatever was written before. */
export async function put(records: RecordStore, key: string, text: string | null): Promise<number> {
  for (;;) {
    const { revision } = await records.changes(0, 1);
    const result = await records.write(key, text === null ? null : bytesOf(text), revision);
    if (result.status === "written") return result.revision;
  }
}

/**
 * What RecordStore promises (src/queue/records.ts), as claims that every implementation must meet.
 *
 * @param world  Makes a world of its own: the processes made from it see each other and nobody else.
 * @param shares Whether several processes can be in one world.
 */
export function claimRecords(name: string, world: () => () => RecordProcess, shares: boolean): void {
  describe(`the records of ${name}`, () => {
    test("what is written is there, with ever higher revisions, and what is removed leaves a tombstone", async () => {
      await using one = await openRecords(world()());
      expect(await one.records.changes(0, 10)).toEqual({ records: [], revision: 0, more: false });
      const first = await put(one.records, "app:a", "1");
      const second = await put(one.records, "app:b", "größer\u0000🐟");
      expect(second).toBeGreaterThan(first);
      expect(await everything(one.records)).toEqual({ "app:a": "1", "app:b": "größer\u0000🐟" });
      const third = await put(one.records, "app:a", null);
      expect(third).toBeGreaterThan(second);
      expect(await everything(one.records)).toEqual({ "app:a": null, "app:b": "größer\u0000🐟" });
      expect(await everything(one.records, second)).toEqual({ "app:a": null });
      expect(await one.records.revisions()).toEqual(new Map([["app:b", second]]));
      await put(one.records, "app:a", "again");
      expect(await everything(one.records, second)).toEqual({ "app:a": "again" });
    });

    test("who has not seen the last write writes nothing, and is told how far behind it is", async () => {
      await using one = await openRecords(world()());
      const first = await put(one.records, "a", "1");
      for (const seen of [0, first - 1, first + 1]) {
        expect(await one.records.write("a", bytesOf("2"), seen)).toEqual({
          status: "behind",
          revision: first,
        });
        expect(await one.records.write("b", null, seen)).toEqual({ status: "behind", revision: first });
      }
      expect(await everything(one.records)).toEqual({ a: "1" });
    });

    test("pages of any size hold every record once, in the order of their revisions", async () => {
      await using one = await openRecords(world()());
      const expected: Record<string, string | null> = {};
      for (let n = 0; n < 12; n += 1) {
        await put(one.records, `k${n}`, String(n));
        expected[`k${n}`] = String(n);
      }
      for (const key of ["k3", "k7", "k11"]) {
        await put(one.records, key, null);
        expected[key] = null;
      }
      for (const limit of [1, 2, 5, 15, 100]) {
        expect(await everything(one.records, 0, limit)).toEqual(expected);
      }
    });

    test("a value of any bytes comes back as it was", async () => {
      await using one = await openRecords(world()());
      const value = Uint8Array.from({ length: 70_000 }, (_, at) => (at * 7) % 256);
      await one.records.write("bytes", value, 0);
      const [record] = (await one.records.changes(0, 1)).records;
      expect(Buffer.from(record?.value ?? []).equals(value)).toBe(true);
    });

    test("listeners are told of every write", async () => {
      await using one = await openRecords(world()());
      const before = one.told.length;
      await put(one.records, "a", "1");
      await until(() => one.told.length > before, { what: "the listener to be told", timeoutMs: 2_000 });
    });

    if (!shares) return;

    test("what one process writes, another is told of within two seconds, and finds", async () => {
      const connect = world();
      await using one = await openRecords(connect());
      await using other = await openRecords(connect());
      await other.records.changes(0, 1);
      for (let n = 0; n < 5; n += 1) {
        const before = other.told.length;
        const revision = await put(one.records, "a", String(n));
        await until(() => other.told.length > before, { what: "the other to be told", timeoutMs: 2_000 });
        expect(await everything(other.records, revision - 1)).toEqual({ a: String(n) });
      }
    });

    test("of many that write at once on what they have seen, no write is lost under another", async () => {
      const connect = world();
      await using one = await openRecords(connect());
      await using other = await openRecords(connect());
      const add = async ({ records }: OpenRecords): Promise<void> => {
        for (let done = 0; done < 25;) {
          const { records: found, revision } = await records.changes(0, 10);
          const count = Number(textOf(found.find(({ key }) => key === "count")?.value ?? null) ?? "0");
          const { status } = await records.write("count", bytesOf(String(count + 1)), revision);
          if (status === "written") done += 1;
        }
      };
      await Promise.all([add(one), add(other), add(one), add(other)]);
      expect(await everything(one.records)).toEqual({ count: "100" });
    });
  });
}

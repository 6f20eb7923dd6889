import { describe, expect, test } from "bun:test";
import type { SharedState } from "../../src/queue/driver.ts";
import { until } from "../support/until.ts";

/** One process on the backend; listeners are added before it is open. */
export interface SharedProcess {
  readonly shared: SharedState;
  open(): Promise<void>;
  close(): Promise<void>;
}

/** A process that writes down what its listener gets. */
export interface Witness extends AsyncDisposable {
  readonly shared: SharedState;
  /** Every announcement, oldest first. */
  readonly heard: readonly Record<string, string>[];
  /** Resolves when the last announcement is exactly this. */
  untilSees(values: Record<string, string>, timeoutMs?: number): Promise<void>;
  close(): Promise<void>;
}

/** Opens a process with a listener; `onValues` is called at each announcement. */
export async function witness(
  process: SharedProcess,
  onValues: (values: ReadonlyMap<string, string>) => void = () => undefined,
): Promise<Witness> {
  const heard: Record<string, string>[] = [];
  process.shared.onChange((values) => {
    onValues(values);
    heard.push(plain(values));
  });
  await process.open();
  return {
    shared: process.shared,
    heard,
    async untilSees(values, timeoutMs = 2_000) {
      const last = (): unknown => heard[heard.length - 1] ?? "nothing";
      await until(() => Bun.deepEquals(last(), values), { what: JSON.stringify(values), timeoutMs }).catch(
        (error: Error) => {
          throw new Error(`${error.message}; what is seen is ${JSON.stringify(last())}`);
        },
      );
    },
    close: () => process.close(),
    [Symbol.asyncDispose]: () => process.close(),
  };
}

/** Lets timers and sockets have their turn, which a loop over promises alone would not. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** An object without a prototype, for keys like `__proto__`. */
function plain(values: ReadonlyMap<string, string>): Record<string, string> {
  const object = Object.create(null) as Record<string, string>;
  for (const [key, value] of values) object[key] = value;
  return { ...object };
}

/**
 * What SharedState promises (src/queue/driver.ts), as claims that every implementation must meet.
 *
 * @param world Makes a world of its own: the processes made from it see each other and nobody else.
 */
export function claimSharedState(name: string, world: () => () => SharedProcess): void {
  describe(`the shared state of ${name}`, () => {
    test("what one process sets, all see within two seconds, itself included, and always all of it", async () => {
      const connect = world();
      await using one = await witness(connect());
      await using other = await witness(connect());
      await one.shared.set("a", "1");
      for (const each of [one, other]) await each.untilSees({ a: "1" });
      await other.shared.set("b", "2");
      for (const each of [one, other]) await each.untilSees({ a: "1", b: "2" });
      await one.shared.set("b", "3");
      for (const each of [one, other]) {
        await each.untilSees({ a: "1", b: "3" });
        expect(Object.fromEntries(await each.shared.all())).toEqual({ a: "1", b: "3" });
      }
    });

    test("null removes, also what is not there", async () => {
      const connect = world();
      await using one = await witness(connect());
      await using other = await witness(connect());
      await one.shared.set("a", "1");
      await one.shared.set("b", "2");
      await other.shared.set("a", null);
      await other.shared.set("never", null);
      for (const each of [one, other]) await each.untilSees({ b: "2" });
      expect((await one.shared.all()).size).toBe(1);
    });

    test("values outlive the processes, and a listener gets what is there when its process opens", async () => {
      const connect = world();
      const one = await witness(connect());
      await one.shared.set("a", "1");
      await one.close();
      await using late = await witness(connect());
      await late.untilSees({ a: "1" });
      await using empty = await witness(world()());
      await empty.untilSees({});
    });

    test("any text is kept as it is", async () => {
      const connect = world();
      const odd = ["", " ", "__proto__", "constructor", "ключ 🗝\n\u0000'\"", "endpoint:shop/main", "-1"];
      await using one = await witness(connect());
      await using other = await witness(connect());
      for (const text of odd) await one.shared.set(text, `${text}!`);
      await one.shared.set("empty", "");
      const all = await other.shared.all();
      for (const text of odd) expect(all.get(text)).toBe(`${text}!`);
      expect(all.get("empty")).toBe("");
      await until(() => Object.keys(other.heard[other.heard.length - 1] ?? {}).length === odd.length + 1);
    });

    test("of two that set the same, the last one wins, and both see the same", async () => {
      const connect = world();
      await using one = await witness(connect());
      await using other = await witness(connect());
      await Promise.all(
        Array.from({ length: 100 }, (_, n) => (n % 2 === 0 ? one : other).shared.set("a", String(n))),
      );
      const values = Object.fromEntries(await one.shared.all());
      expect(Number(values["a"])).toBeGreaterThanOrEqual(0);
      for (const each of [one, other]) await each.untilSees(values);
      await one.shared.set("a", "last");
      for (const each of [one, other]) await each.untilSees({ a: "last" });
    });

    test("a listener, or who asks, never gets values older than a set that has resolved here", async () => {
      const connect = world();
      let resolved = 0;
      const older: string[] = [];
      const check = (values: ReadonlyMap<string, string>): void => {
        const n = Number(values.get("n") ?? 0);
        if (n < resolved) older.push(`${n} after ${resolved}`);
      };
      await using one = await witness(connect(), check);
      await using other = await witness(connect());
      const stop = new AbortController();
      // Every change of the other's makes this one look, whatever it is setting itself.
      const noise = (async () => {
        for (let n = 0; !stop.signal.aborted; n += 1) {
          await other.shared.set("noise", String(n));
          await turn();
        }
      })();
      const asking = (async () => {
        while (!stop.signal.aborted) {
          check(await one.shared.all());
          await turn();
        }
      })();
      for (let n = 1; n <= 500; n += 1) {
        await one.shared.set("n", String(n));
        resolved = n;
        // Now and then a moment for what was on its way.
        if (n % 7 === 0) await turn();
      }
      stop.abort();
      await Promise.all([noise, asking]);
      expect(older).toEqual([]);
      expect(one.heard.length).toBeGreaterThan(20);
    });

    test("announcements never go back in time", async () => {
      const connect = world();
      await using one = await witness(connect());
      await using other = await witness(connect());
      for (let n = 1; n <= 200; n += 1) await one.shared.set("n", String(n));
      await other.untilSees({ n: "200" });
      for (const each of [one, other]) {
        const numbers = each.heard.map((values) => Number(values["n"] ?? 0));
        expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
      }
    });

    test("a process that is closed announces nothing more, and the others go on", async () => {
      const connect = world();
      const one = await witness(connect());
      await using other = await witness(connect());
      await one.shared.set("a", "1");
      await other.untilSees({ a: "1" });
      await one.close();
      const before = one.heard.length;
      await other.shared.set("a", "2");
      await other.untilSees({ a: "2" });
      expect(one.heard.length).toBe(before);
    });
  });
}

import { describe, expect, test } from "bun:test";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ConfigError } from "../../../src/errors.ts";
import type { ChildJob, QueueDriver } from "../../../src/queue/driver.ts";
import { seeded } from "../conformance-walk.ts";
import { deadly, job } from "../conformance-bench.ts";
import { leaseFrom, openDriver, temporaryFolder } from "../../support/file-driver.ts";

const long = process.env["HOOKLINE_LONG"] === "1";

/** Everything that a store says, as comparable text; ends the driver. */
async function contents(driver: QueueDriver): Promise<string> {
  const letters = (await driver.deadLetters("q", { limit: 1_000, cursor: null })).items;
  const leases = await leaseFrom(driver, { max: 1_000, parkedMax: 1_000 });
  const stats = await driver.stats("q");
  const shared = [...((await driver.shared?.all()) ?? [])];
  await driver.close();
  return JSON.stringify({
    jobs: leases
      .map(({ job: { id, body, attempts } }) => [id, body, attempts] as const)
      .toSorted(([one], [other]) => (one < other ? -1 : 1)),
    letters: letters.map(({ id, reason, body, attempts }) => [id, reason, body, attempts]),
    delayed: stats.delayed,
    shared,
  });
}

/** Two children whose bodies end alike. */
function twins(...ids: readonly string[]): { readonly jobs: readonly ChildJob[]; readonly tail: string } {
  const tail = `,"payload":{"x":"${"y".repeat(50)}"}}`;
  const jobs = ids.map((id) => ({
    id,
    body: `{"id":"${id}"${tail}`,
    head: `{"id":"${id}"`,
    endpoint: "app/x",
  }));
  return { jobs, tail };
}

/** A store with a record of each kind in it, closed. */
async function fillStore(path: string, segmentBytes: number): Promise<void> {
  const driver = await openDriver(path, { segmentBytes, slackBytes: 1e9 });
  const put = async (...ids: readonly string[]): Promise<void> => {
    await driver.enqueue(
      "q",
      ids.map((id) =>
        job(`{"id":"${id}","x":"${"x".repeat(40)}"}`, { id, dedup: { key: id, fingerprint: "f" } }),
      ),
    );
  };
  await put("a", "b", "c", "d", "e", "f", "g");
  const leases = await leaseFrom(driver, { max: 6 });
  const [a, b, c, d, e, f] = leases;
  await driver.settle([
    { verb: "ack", lease: a! },
    { verb: "retry", delayMs: 0, endpoint: "app/x", body: "rewritten", lease: b! },
    { verb: "park", key: "app/x", lease: c! },
    { ...deadly(), lease: d! },
    { verb: "replace", ...twins("e_1", "e_2"), lease: e! },
    { ...deadly("gone", { body: new Uint8Array([0xff, 0, 1]) }), lease: f! },
  ]);
  await driver.redrive("q", { ids: ["d"] });
  await driver.enqueue("q", [job("later", { id: "later", delayMs: 3_600_000 })]);
  await driver.shared?.set("endpoint:app/x", "paused");
  await put("h", "i");
  await driver.close();
}

function segments(path: string): string[] {
  return readdirSync(join(path, "journal")).sort();
}

/** What a start on a store comes to: its contents, or the refusal's text. */
async function start(
  path: string,
): Promise<{ readonly contents: string | null; readonly refusal: string | null }> {
  try {
    return { contents: await contents(await openDriver(path, { slackBytes: 1e9 })), refusal: null };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { contents: null, refusal: error.message };
  }
}

describe("a store that was closed", () => {
  for (const [what, segmentBytes] of [
    ["one segment", 1_000_000],
    ["several segments", 900],
  ] as const) {
    test(`with any byte of ${what} changed refuses to start and says where, or is whole`, async () => {
      using good = temporaryFolder();
      using copy = temporaryFolder();
      await fillStore(good.path, segmentBytes);
      const names = segments(good.path);
      expect(names.length > 1).toBe(segmentBytes < 1_000_000);
      rmSync(copy.path, { recursive: true });
      cpSync(good.path, copy.path, { recursive: true });
      const whole = (await start(copy.path)).contents;
      expect(whole).toContain("rewritten");
      let refused = 0;
      const places = names.flatMap((name) => {
        const { length } = readFileSync(join(good.path, "journal", name));
        return Array.from({ length }, (_, at) => [name, at] as const);
      });
      const random = seeded(1);
      const tried = long ? places : places.filter(() => random() < 150 / places.length);
      for (const [name, at] of tried) {
        rmSync(copy.path, { recursive: true });
        mkdirSync(copy.path);
        cpSync(good.path, copy.path, { recursive: true });
        const file = join(copy.path, "journal", name);
        const bytes = readFileSync(file);
        bytes[at] = bytes[at]! ^ (1 << Math.floor(random() * 8));
        writeFileSync(file, bytes);
        const { contents: found, refusal } = await start(copy.path);
        if (refusal === null) expect([name, at, found]).toEqual([name, at, whole]);
        else {
          refused += 1;
          expect(refusal).toContain(name);
          expect(refusal).toMatch(/offset \d+/);
          // Nothing was changed.
          expect(readFileSync(file).equals(bytes)).toBe(true);
        }
      }
      expect(refused).toBeGreaterThan(tried.length / 2);
    }, 900_000);
  }

  test("without a segment in the middle, or with another store's, refuses to start", async () => {
    using good = temporaryFolder();
    using other = temporaryFolder();
    await fillStore(good.path, 900);
    await fillStore(other.path, 900);
    const [first, second] = segments(good.path);
    const file = join(good.path, "journal", second!);
    const bytes = readFileSync(file);
    rmSync(file);
    expect((await start(good.path)).refusal).toContain("missing");
    writeFileSync(file, bytes);
    cpSync(join(other.path, "journal", first!), join(good.path, "journal", first!));
    expect((await start(good.path)).refusal).toContain("another store");
  });

  test("of a newer format, or without its store.json, refuses to start", async () => {
    using good = temporaryFolder();
    await fillStore(good.path, 900);
    const file = join(good.path, "store.json");
    const text = readFileSync(file, "utf8");
    writeFileSync(file, text.replace('"format":1', '"format":2'));
    expect((await start(good.path)).refusal).toContain("newer");
    rmSync(file);
    expect((await start(good.path)).refusal).toContain("store.json");
  });
});

test("every prefix of a journal is a store that says what it said then", async () => {
  using good = temporaryFolder();
  using copy = temporaryFolder();
  await fillStore(good.path, 1_000_000);
  const [name] = segments(good.path);
  const { length } = readFileSync(join(good.path, "journal", name!));
  const random = seeded(2);
  const seen = new Set<string>();
  for (let end = 0; end <= length; end += long ? 1 : 1 + Math.floor(random() * 40)) {
    rmSync(copy.path, { recursive: true });
    cpSync(good.path, copy.path, { recursive: true });
    truncateSync(join(copy.path, "journal", name!), end);
    const { contents: found, refusal } = await start(copy.path);
    expect(refusal).toBeNull();
    seen.add(found!);
    // And it goes on from there.
    const driver = await openDriver(copy.path);
    expect((await driver.enqueue("q", [job("new")]))[0]?.status).toBe("enqueued");
    await driver.close();
  }
  expect(seen.size).toBeGreaterThan(8);
}, 900_000);

test("no damage makes a record out of what is none", async () => {
  using good = temporaryFolder();
  using copy = temporaryFolder();
  await fillStore(good.path, 1_000_000);
  const whole = new Set(["a", "b", "c", "d", "e", "e_1", "e_2", "f", "g", "h", "i", "later"]);
  const [name] = segments(good.path);
  const bytes = readFileSync(join(good.path, "journal", name!));
  const random = seeded(3);
  for (let round = 0; round < (long ? 20_000 : 200); round += 1) {
    const damaged = Buffer.from(bytes);
    const at = Math.floor(random() * damaged.length);
    if (round % 3 === 0) damaged.fill(0, at, Math.min(at + 512, damaged.length));
    else
      for (let flip = 0; flip < 1 + (round % 4); flip += 1)
        damaged[Math.floor(random() * damaged.length)]! ^= 1 << (round % 8);
    rmSync(copy.path, { recursive: true });
    cpSync(good.path, copy.path, { recursive: true });
    writeFileSync(join(copy.path, "journal", name!), damaged);
    const { contents: found } = await start(copy.path);
    if (found === null) continue;
    const { jobs } = JSON.parse(found) as { jobs: [string, unknown, number][] };
    for (const [id] of jobs) expect(whole.has(id)).toBe(true);
  }
}, 1_800_000);

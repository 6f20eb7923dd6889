import { expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { Lease } from "../../../src/queue/driver.ts";
import { seeded } from "../conformance-walk.ts";
import { deadly, job } from "../conformance-bench.ts";
import { leaseFrom, openDriver, temporaryFolder } from "../../support/file-driver.ts";
import { recordFiles } from "../../support/recorded-files.ts";

const long = process.env["HOOKLINE_LONG"] === "1";

interface Fact {
  /** Calls made to the files when the driver had said so. */
  readonly at: number;
  readonly id: string;
  readonly is: "enqueued" | "dead" | "over";
}

test("whatever a power cut leaves of what was not synced: a start finds all that was confirmed, and nothing else", async () => {
  using folder = temporaryFolder();
  using copy = temporaryFolder();
  const random = seeded(11);
  const files = recordFiles();
  const driver = await openDriver(folder.path, { files, segmentBytes: 6_000, slackBytes: 0 });
  const facts: Fact[] = [];
  const known = new Set<string>();
  let count = 0;
  const say = (is: Fact["is"], ...ids: readonly string[]): void => {
    for (const id of ids) facts.push({ at: files.steps.length, id, is });
  };
  const enqueue = async (): Promise<void> => {
    const ids = Array.from({ length: 1 + Math.floor(random() * 6) }, () => `j-${(count += 1)}`);
    for (const id of ids) known.add(id);
    await driver.enqueue(
      "q",
      ids.map((id) => job(`${id} ${"x".repeat(Math.floor(random() * 900))}`, { id })),
    );
    say("enqueued", ...ids);
  };
  const settle = async (lease: Lease): Promise<void> => {
    const { id } = lease.job;
    const roll = random();
    if (roll < 0.8) {
      // Said before: an ack that is lost costs a double, one that holds was meant.
      say("over", id);
      await driver.settle([{ verb: "ack", lease }]);
    } else if (roll < 0.85) {
      await driver.settle([{ ...deadly(), lease }]);
      say("dead", id);
    } else if (roll < 0.9) {
      const children = [`${id}-c`, `${id}-d`];
      for (const child of children) known.add(child);
      say("over", id);
      const tail = "z".repeat(Math.floor(random() * 900));
      const jobs = children.map((child) => ({
        id: child,
        body: child + tail,
        head: child,
        endpoint: "app/x",
      }));
      await driver.settle([{ verb: "replace", jobs, tail, lease }]);
      say("enqueued", ...children);
    } else if (roll < 0.97) {
      await driver.settle([{ verb: "retry", delayMs: 0, body: `${id} again ${"y".repeat(300)}`, lease }]);
    } else await driver.settle([{ verb: "park", key: "app/x", lease }]);
  };
  for (let round = 0; round < 60; round += 1) {
    await Promise.all([enqueue(), enqueue()]);
    for (const lease of await leaseFrom(driver, { max: 12, parkedMax: 1 })) await settle(lease);
  }
  await driver.close();
  expect(files.steps.filter(({ kind }) => kind === "remove").length).toBeGreaterThan(1);

  const cuts = long ? 4_000 : 150;
  for (let cut = 0; cut < cuts; cut += 1) {
    const steps = Math.floor(random() * (files.steps.length + 1));
    rmSync(copy.path, { recursive: true, force: true });
    files.restore(copy.path, join(folder.path, "store.json"), steps, random);
    const after = await openDriver(copy.path, { slackBytes: 1e9 });
    const waiting = new Set(
      (await leaseFrom(after, { max: 10_000, parkedMax: 10_000 })).map((lease) => lease.job.id),
    );
    const letters = await after.deadLetters("q", { limit: 1_000, cursor: null });
    const dead = new Set(letters.items.map(({ jobId }) => jobId));
    await after.close();
    for (const id of [...waiting, ...dead]) expect(known.has(id)).toBe(true);
    const lasting = new Map<string, Fact["is"]>();
    for (const { at, id, is } of facts) if (at <= steps) lasting.set(id, is);
    // What was being ended when the power failed may have ended.
    const ending = new Set(facts.filter(({ at, is }) => at > steps && is !== "enqueued").map(({ id }) => id));
    for (const [id, is] of lasting) {
      if (is === "over") continue;
      const isThere = is === "dead" ? dead.has(id) : waiting.has(id) || (ending.has(id) && dead.has(id));
      if (!isThere) throw new Error(`${id}, ${is}, is not there after a cut at step ${steps} of cut ${cut}`);
    }
  }
}, 600_000);

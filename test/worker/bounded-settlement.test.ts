import { describe, expect, test } from "bun:test";
import type { Disposition } from "../../src/queue/driver.ts";
import { boundedSettlement } from "../../src/worker/bounded-settlement.ts";
import { createMasker } from "../../src/secrets/masker.ts";
import { app, jobOf, startWorker } from "../support/worker.ts";

const secret = "Geheimnis-0815-lang";
const mask = createMasker([secret]);
const dead = (detail: string | null, endpoint: string | null): Disposition => ({
  verb: "dead",
  reason: "unknown_endpoint",
  detail,
  endpoint,
  attempted: false,
});

describe("what is told of a settlement", () => {
  test("a detail has at most 500 characters, a name 200", () => {
    expect(boundedSettlement(dead("d".repeat(500), "e".repeat(200)), mask)).toEqual(
      dead("d".repeat(500), "e".repeat(200)),
    );
    expect(boundedSettlement(dead("d".repeat(501), "e".repeat(201)), mask)).toEqual(
      dead(`${"d".repeat(499)}…`, `${"e".repeat(199)}…`),
    );
    const retry = {
      verb: "retry",
      delayMs: 1,
      detail: "d".repeat(1_000_000),
      endpoint: "shop/main",
    } as const;
    expect(boundedSettlement(retry, mask)).toEqual({ ...retry, detail: `${"d".repeat(499)}…` });
  });

  test("a cut through a secret leaves nothing of it", () => {
    for (let before = 480; before <= 502; before += 1) {
      const settlement = boundedSettlement(dead(`${" ".repeat(before)}${secret} and more`, null), mask);
      expect(settlement.verb === "dead" && settlement.detail).not.toContain("G");
    }
    for (let before = 180; before <= 202; before += 1) {
      const settlement = boundedSettlement(dead(null, `${" ".repeat(before)}${secret} and more`), mask);
      expect(settlement.verb === "dead" && settlement.endpoint).not.toContain("G");
    }
  });

  test("other settlements stay as they are, and bodies always", () => {
    const body = "b".repeat(1_000_000);
    const settlements: Disposition[] = [
      { verb: "ack" },
      { verb: "release" },
      { verb: "park", key: "k", body },
      { verb: "retry", delayMs: 1, detail: "short", endpoint: "shop/main", body },
    ];
    for (const settlement of settlements) {
      expect(boundedSettlement(settlement, mask)).toBe(settlement);
    }
    const long: Disposition = { verb: "retry", delayMs: 1, detail: "d".repeat(9_999), body };
    expect(boundedSettlement(long, mask)).toMatchObject({ body });
  });
});

test("a job for an endpoint whose name takes a megabyte costs no more log than another, and is kept whole", async () => {
  await using bench = await startWorker();
  const name = `${app.secret}${"n".repeat(1_000_000)}`;
  const body = JSON.stringify({ type: "t", data: 1, endpoint: name });
  await bench.put([jobOf("long", body)]);
  await bench.untilEmpty();
  const [letter] = await bench.dead();
  expect(letter?.reason).toBe("unknown_endpoint");
  expect(letter?.endpoint).toBe(`***${"n".repeat(196)}…`);
  expect(letter?.body.length).toBeGreaterThan(1_000_000);
  expect(bench.logged.join("").length).toBeLessThan(2_000);
});

import { expect } from "bun:test";
import type { Disposition, Lease } from "../../src/queue/driver.ts";
import type { Bench, Claim } from "./conformance-bench.ts";
import { deadly } from "./conformance-bench.ts";

/** A lease that ran out, and the current one of the same job. */
async function staleAndCurrent({ put, take, timing }: Bench): Promise<{ stale: Lease; current: Lease }> {
  await put("{}");
  const stale = await take({ leaseMs: timing.leaseMs });
  const current = await take();
  expect(current.job.id).toBe(stale.job.id);
  return { stale, current };
}

function staleClaim(name: string, disposition: Disposition): Claim {
  return {
    name,
    async run(bench) {
      const { stale, current } = await staleAndCurrent(bench);
      expect(await bench.trySettle(disposition, stale)).toBe("lost");
      expect(await bench.lease()).toEqual([]);
      expect(await bench.dead()).toEqual([]);
      // The current lease still holds the job: it can give it back, whole and with its own count.
      await bench.settle({ verb: "retry", delayMs: 0 }, current);
      const after = await bench.take();
      expect([after.job.id, after.job.body, after.job.attempts]).toEqual([current.job.id, "{}", 2]);
      await bench.settle({ verb: "ack" }, after);
      expect(await bench.lease()).toEqual([]);
    },
  };
}

export const lostClaims: readonly Claim[] = [
  staleClaim("a stale ack removes nothing", { verb: "ack" }),
  staleClaim("a stale retry changes nothing", { verb: "retry", delayMs: 0, body: "changed" }),
  staleClaim("a stale release changes nothing", { verb: "release" }),
  staleClaim("a stale park changes nothing", { verb: "park", key: "lane", body: "changed" }),
  staleClaim("a stale dead writes no dead letter", deadly()),
  staleClaim("a stale replace creates no children", {
    verb: "replace",
    jobs: [{ id: "child", body: "child", endpoint: "app-1/x" }],
  }),
  {
    name: "a stale extend is lost and lengthens nothing",
    async run(bench) {
      const { put, take, driver, timing } = bench;
      await put("{}");
      const stale = await take({ leaseMs: timing.leaseMs });
      await take({ leaseMs: timing.leaseMs });
      expect(await driver.extend([stale], 60_000)).toEqual(["lost"]);
      expect((await take()).job.attempts).toBe(2);
    },
  },
  {
    name: "a lease settles once",
    async run({ put, take, trySettle, lease }) {
      await put("{}");
      const held = await take();
      expect(await trySettle({ verb: "ack" }, held)).toBe("settled");
      for (const again of [{ verb: "ack" }, { verb: "retry", delayMs: 0 }, deadly()] as const) {
        expect(await trySettle(again, held)).toBe("lost");
      }
      expect(await lease()).toEqual([]);
    },
  },
  {
    name: "a lease that was retried is no longer current",
    async run({ put, take, trySettle }) {
      await put("{}");
      const held = await take();
      expect(await trySettle({ verb: "retry", delayMs: 0 }, held)).toBe("settled");
      expect(await trySettle({ verb: "ack" }, held)).toBe("lost");
      expect((await take()).job.attempts).toBe(1);
    },
  },
  {
    name: "an unknown token is lost",
    async run({ put, take, driver, trySettle }) {
      await put("{}");
      const held = await take();
      const made = { ...held, token: `${held.token}0` };
      expect(await trySettle({ verb: "ack" }, made)).toBe("lost");
      expect(await driver.extend([made], 1_000)).toEqual(["lost"]);
      expect(await trySettle({ verb: "ack" }, held)).toBe("settled");
    },
  },
  {
    name: "a stale settlement beside current ones fails alone",
    async run(bench) {
      const { stale, current } = await staleAndCurrent(bench);
      await bench.put("other");
      const other = await bench.take();
      const results = await bench.driver.settle([
        { verb: "ack", lease: other },
        { verb: "ack", lease: stale },
        { verb: "ack", lease: current },
      ]);
      expect(results.map(({ status }) => status)).toEqual(["settled", "lost", "settled"]);
    },
  },
  {
    name: "the lease of a process that is gone comes to another, one attempt charged",
    needs: ["peer", "fenced"],
    async run({ put, take, peer, trySettle, timing }) {
      const [id] = await put("{}");
      const other = await peer();
      const gone = await take({ leaseMs: timing.leaseMs });
      const held = await take({}, other);
      expect([held.job.id, held.job.attempts]).toEqual([id!, 1]);
      expect(await trySettle({ verb: "ack" }, gone)).toBe("lost");
      expect(await trySettle({ verb: "ack" }, held, other)).toBe("settled");
    },
  },
];

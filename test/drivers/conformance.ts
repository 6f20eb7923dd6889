import { describe, expect, test } from "bun:test";
import type { Claim, DriverSubject, Need } from "./conformance-bench.ts";
import { withBench } from "./conformance-bench.ts";
import { deadLetterClaims } from "./conformance-dead.ts";
import { enqueueClaims } from "./conformance-enqueue.ts";
import { faultClaims } from "./conformance-faults.ts";
import { jobListClaims, jobRaceClaims } from "./conformance-jobs.ts";
import { leaseClaims } from "./conformance-lease.ts";
import { loadClaims } from "./conformance-load.ts";
import { lostClaims } from "./conformance-lost.ts";
import { parkClaims } from "./conformance-park.ts";
import { settleClaims } from "./conformance-settle.ts";
import { walkClaims } from "./conformance-walk.ts";

const largestTriedPayloadBytes = 32 * 1024 * 1024;

const chapters: Readonly<Record<string, readonly Claim[]>> = {
  enqueue: enqueueClaims,
  lease: leaseClaims,
  settle: settleClaims,
  lost: lostClaims,
  "park and replace": parkClaims,
  "dead letters": deadLetterClaims,
  jobs: [...jobListClaims, ...jobRaceClaims],
  load: loadClaims,
  walk: walkClaims,
  faults: faultClaims,
};

/**
 * Runs the suite that every driver passes, each claim on a fresh driver.
 *
 * A claim is left out only by name: `skips` maps the claim, or a need that this driver lacks, to the
 * reason, and both stand in the skipped test's name. A need without a reason, and a skip that matches
 * nothing, fail at once.
 */
export function describeDriver(name: string, subject: DriverSubject): void {
  const skips = subject.skips ?? {};
  const unused = new Set(Object.keys(skips));
  describe(`driver ${name}`, () => {
    test("says of itself what it can", async () => {
      await withBench(subject, {}, async ({ driver }) => {
        expect(driver.capabilities).toEqual(subject.capabilities);
      });
    });
    for (const [chapter, claims] of Object.entries(chapters)) {
      describe(chapter, () => {
        for (const claim of claims) {
          const missing = (claim.needs ?? []).filter((need) => !meets(subject, need));
          const because = [claim.name, ...missing].filter((key) => key in skips);
          for (const key of because) unused.delete(key);
          const unexplained = missing.filter((need) => !(need in skips));
          if (because.length > 0) {
            const label = missing.length > 0 ? `needs ${missing.join(", ")}: ` : "";
            test.skip(`${claim.name} (${label}${because.map((key) => skips[key]).join("; ")})`, () => {});
          } else if (unexplained.length > 0) {
            throw new Error(
              `${name}: "${claim.name}" needs ${unexplained.join(", ")}; give the reason in skips`,
            );
          } else {
            test(claim.name, () => withBench(subject, claim.create ?? {}, claim.run), 60_000);
          }
        }
      });
    }
    test("every skip names a claim or a need", () => {
      expect([...unused]).toEqual([]);
    });
  });
}

/** What cannot be seen before a driver is made: it is missing when skips name it. */
const seenLate = ["peer", "produce", "faults", "deadCounts", "deadLetterAge", "jobs", "findDead"] as const;
type SeenLate = (typeof seenLate)[number];

function isSeenLate(need: Need): need is SeenLate {
  return seenLate.some((one) => one === need);
}

function meets(subject: DriverSubject, need: Need): boolean {
  if (isSeenLate(need)) return !(need in (subject.skips ?? {}));
  if (need === "clusterPause") return subject.capabilities.pauseScope === "cluster";
  if (need === "smallPayload") return subject.capabilities.maxPayloadBytes <= largestTriedPayloadBytes;
  if (need === "noGroups") return !subject.capabilities.ordersGroups;
  if (need === "boundedDelay") return subject.capabilities.maxDelayMs < Number.MAX_SAFE_INTEGER;
  return Boolean(subject.capabilities[need]);
}

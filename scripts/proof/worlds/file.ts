import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { changedConfig, concurrency, configFor } from "../app.ts";
import { calmReceivers, deadAt, layGround, queuedAt } from "../common-world.ts";
import { diskFaults, tornTail } from "../faults/disk.ts";
import { setDisk } from "../faults/disk-state.ts";
import { processFaults } from "../faults/process.ts";
import { receiverFaults } from "../faults/receiver.ts";
import { createMember } from "../member.ts";
import type { Member } from "../member.ts";
import { eventsDoor, httpDoor } from "../producers.ts";
import type { Random } from "../random.ts";
import type { World } from "../world.ts";

const proof = join(import.meta.dir, "..");

/** With less, what must be remembered to find repeated ids would fill the store for minutes. */
const maxBytes = 6_000_000;

/**
 * Two processes with a store each: the executable on the disk as it is, and the sources on a disk that loses at a kill
 * what was not synced, as at a power cut, and fails when it is told to.
 */
export async function createFileWorld(random: Random): Promise<World> {
  const ground = await layGround(2);
  const { book, receivers } = ground;
  const root = mkdtempSync(join(tmpdir(), "hookline-proof-"));
  const control = join(root, "disk.json");
  setDisk(control, { disk: "well", delayMs: 0 });
  const folders = ["store-0", "store-1"].map((name) => join(root, name));
  const variants = new Map<number, number>();
  const configOf = (index: number) => (): object => {
    const file = { path: folders[index], concurrency, min_free_mb: 1, max_bytes: maxBytes };
    return changedConfig(configFor(receivers, { driver: "file", file }), variants.get(index) ?? 0);
  };
  const members = [
    createMember("file process 0", configOf(0)),
    createMember("file process 1", configOf(1), {
      command: [
        process.execPath,
        "--preload",
        join(proof, "fragile-disk.ts"),
        join(proof, "../../src/main.ts"),
      ],
      env: { PROOF_DISK: control },
    }),
  ];
  const fragile = members[1] as Member;
  return {
    name: "file",
    book,
    members,
    receivers,
    inFlight: ground.inFlight,
    groups: 0,
    countsAttemptsForAll: true,
    doors: [httpDoor(book, members, random), eventsDoor(book, members, random)],
    kinds: [
      ...processFaults(members, {
        change(member, variant) {
          variants.set(member, variant);
          members[member]?.configure();
        },
      }),
      ...diskFaults(fragile, control),
      tornTail(members, folders),
      ...receiverFaults(receivers),
    ],
    async clear() {
      calmReceivers(receivers);
      setDisk(control, { disk: "well", delayMs: 0 });
      await Promise.all(members.map((member) => member.start()));
    },
    async queued() {
      const counts = await Promise.all(members.map(queuedAt));
      return counts.reduce((sum, count) => sum + count, 0);
    },
    dead: async () => (await Promise.all(members.map(deadAt))).flat(),
    moreConnections: 0,
    connections: () => null,
    async close() {
      await Promise.all(members.map((member) => member.close()));
      await ground.close();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

import { appendFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { FaultKind } from "../fault.ts";
import type { Member } from "../member.ts";
import { setDisk } from "./disk-state.ts";
import type { DiskState } from "./disk-state.ts";

/** What happens to the disk of the process that has a fragile one. */
export function diskFaults(member: Member, control: string): FaultKind[] {
  const standing = (
    name: string,
    forMs: readonly [number, number],
    state: Partial<DiskState>,
    mayEnd: "process" | null = null,
  ): FaultKind => ({
    name: `disk: ${name}`,
    targets: [`the disk of ${member.name}`],
    forMs,
    doubles: "all",
    ...(mayEnd === null ? {} : { mayEnd }),
    begin() {
      setDisk(control, { disk: "well", delayMs: 0, ...state });
      return Promise.resolve(() => {
        setDisk(control, { disk: "well", delayMs: 0 });
        return Promise.resolve();
      });
    },
  });
  return [
    standing("full, and room again", [100, 1_000], { disk: "full" }),
    standing("short writes", [100, 1_000], { disk: "short writes" }),
    standing("slow to sync", [100, 1_000], { delayMs: 150 }),
    standing("EIO from write", [20, 150], { disk: "EIO on write" }, "process"),
    standing("EIO from fdatasync", [20, 150], { disk: "EIO on sync" }, "process"),
  ];
}

/** A process is killed while it writes: the end of its last segment is a part of a record, or no record at all. */
export function tornTail(members: readonly Member[], folders: readonly string[]): FaultKind {
  return {
    name: "disk: killed inside a write",
    targets: members.map(({ name }) => name),
    forMs: [0, 200],
    doubles: "all",
    async begin(target, random) {
      const member = members[target] as Member;
      await member.end("SIGKILL");
      const journal = join(folders[target] as string, "journal");
      const last = readdirSync(journal)
        .filter((name) => name.endsWith(".log"))
        .sort()
        .at(-1);
      const torn = Uint8Array.from({ length: random.whole(1, 300) }, () => random.whole(0, 255));
      if (last !== undefined) appendFileSync(join(journal, last), torn);
      return () => member.start();
    },
  };
}

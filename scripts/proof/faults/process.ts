import type { FaultKind } from "../fault.ts";
import type { Member } from "../member.ts";
import { leaseMs } from "../app.ts";

/** A change of a member's configuration that takes nothing away: as an operator makes it. */
export interface Variants {
  /** Draws another configuration for the member, which is used from its next start or reload on. */
  change(member: number, variant: number): void;
}

const nothing = (): Promise<void> => Promise.resolve();

/** What happens to processes: ended, stopped, changed, and left without descriptors. */
export function processFaults(members: readonly Member[], variants: Variants): FaultKind[] {
  const targets = members.map(({ name }) => name);
  const at = (target: number): Member => members[target] as Member;
  const restarted = (signal: "SIGKILL" | "SIGTERM"): FaultKind => ({
    name: `process: ${signal}`,
    targets,
    forMs: [0, 400],
    doubles: "all",
    async begin(target) {
      await at(target).end(signal);
      return () => at(target).start();
    },
  });
  const stopped = (name: string, forMs: readonly [number, number]): FaultKind => ({
    name,
    targets,
    forMs,
    doubles: "all",
    async begin(target) {
      at(target).signal("SIGSTOP");
      return () => {
        at(target).signal("SIGCONT");
        return Promise.resolve();
      };
    },
  });
  return [
    restarted("SIGKILL"),
    restarted("SIGTERM"),
    stopped("process: stopped for a moment", [50, 800]),
    stopped("process: stopped for longer than a lease", [leaseMs + 200, leaseMs + 800]),
    {
      name: "process: started again under another configuration",
      targets,
      forMs: [0, 200],
      doubles: "all",
      async begin(target, random) {
        variants.change(target, random.whole(0, 3));
        await at(target).end("SIGTERM");
        return () => at(target).start();
      },
    },
    {
      name: "process: reload under another configuration",
      targets,
      forMs: [0, 200],
      doubles: "none",
      begin(target, random) {
        variants.change(target, random.whole(0, 3));
        at(target).signal("SIGHUP");
        return Promise.resolve(nothing);
      },
    },
    {
      name: "process: no file descriptor left",
      targets,
      forMs: [100, 1_500],
      doubles: "all",
      // Bun ends a process that loads a part of its own and gets no descriptor.
      mayEnd: "start",
      async begin(target) {
        const pid = at(target).server?.pid;
        if (pid === undefined) return nothing;
        const usual = await limitDescriptors(pid, 10);
        return async () => void (await limitDescriptors(pid, usual));
      },
    },
  ];
}

/** Sets the soft limit of a running process and gives the one it had; the process may have ended meanwhile. */
async function limitDescriptors(pid: number, limit: number): Promise<number> {
  const asked = Bun.spawn(
    ["prlimit", "--pid", String(pid), "--nofile", "--raw", "--noheadings", "--output", "SOFT"],
    {
      stdout: "pipe",
      stderr: "ignore",
    },
  );
  const usual = Number((await new Response(asked.stdout).text()).trim());
  await Bun.spawn(["prlimit", "--pid", String(pid), `--nofile=${limit}:`], {
    stdout: "ignore",
    stderr: "ignore",
  }).exited;
  return usual > 0 ? usual : 1_024;
}

import type { FaultKind } from "../fault.ts";
import type { Random } from "../random.ts";
import type { PathState, TcpPath } from "../tcp-path.ts";

/** What happens on the way from each process to its backend. */
export function networkFaults(paths: readonly TcpPath[]): FaultKind[] {
  const targets = paths.map((_, index) => `the way of process ${index}`);
  const worse = (
    name: string,
    forMs: readonly [number, number],
    state: (random: Random) => PathState,
  ): FaultKind => ({
    name: `network: ${name}`,
    targets,
    forMs,
    doubles: "all",
    begin(target, random) {
      const path = paths[target] as TcpPath;
      path.set(state(random));
      return Promise.resolve(() => {
        path.set({ state: "open" });
        return Promise.resolve();
      });
    },
  });
  return [
    {
      name: "network: cut",
      targets,
      forMs: [0, 10],
      doubles: "all",
      begin(target) {
        paths[target]?.cut();
        return Promise.resolve(() => Promise.resolve());
      },
    },
    worse("refused", [50, 1_000], () => ({ state: "refuse" })),
    worse("swallowed", [200, 1_500], () => ({ state: "swallow", requests: true, replies: true })),
    worse("replies swallowed", [100, 1_000], () => ({ state: "swallow", requests: false, replies: true })),
    worse("requests swallowed", [100, 1_000], () => ({ state: "swallow", requests: true, replies: false })),
    worse("slow", [200, 1_500], (random) => ({ state: "slow", delayMs: random.whole(20, 300) })),
    worse("seven bytes at a time", [200, 1_000], () => ({ state: "pieces" })),
    worse("cut inside replies", [50, 1_000], (random) => ({ state: "half replies", share: random.next() })),
  ];
}

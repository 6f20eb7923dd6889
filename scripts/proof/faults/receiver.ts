import type { FaultKind } from "../fault.ts";
import { moodFamilies, well } from "../moods.ts";
import type { ProofReceiver } from "../receivers.ts";

/** What happens to receivers: one of the moods of its kind, for a while. */
export function receiverFaults(receivers: readonly ProofReceiver[]): FaultKind[] {
  const targets = receivers.map((_, index) => `receiver ${index}`);
  return moodFamilies.map(({ name, moods }) => ({
    name: `receiver: ${name}`,
    targets,
    forMs: [100, 1_500],
    doubles: "receiver",
    begin(target, random) {
      const receiver = receivers[target] as ProofReceiver;
      receiver.mood = random.pick(moods);
      return Promise.resolve(() => {
        receiver.mood = well;
        return Promise.resolve();
      });
    },
  }));
}

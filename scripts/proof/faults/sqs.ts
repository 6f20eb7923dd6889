import type { SqsModel } from "../../../test/support/sqs-model.ts";
import type { FaultKind } from "../fault.ts";
import type { Random } from "../random.ts";

/** The permissions that the driver needs while it runs. */
const permissions = ["SendMessage", "ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility"];
const batches = ["SendMessageBatch", "DeleteMessageBatch", "ChangeMessageVisibilityBatch"];

/** What SQS does to its callers. Each way of failing is a target of its own, so that several can stand at once. */
export function sqsFaults(model: SqsModel): FaultKind[] {
  const { faults, queues } = model;
  const standing = (
    name: string,
    forMs: readonly [number, number],
    begin: (random: Random) => () => void,
  ): FaultKind => ({
    name: `sqs: ${name}`,
    targets: [`sqs ${name}`],
    forMs,
    doubles: "all",
    mayEnd: "start",
    begin: (_, random) => {
      const end = begin(random);
      return Promise.resolve(() => {
        end();
        return Promise.resolve();
      });
    },
  });
  return [
    standing("outage", [100, 1_500], () => {
      faults.outage = true;
      return () => void (faults.outage = false);
    }),
    standing("a gateway's 502", [100, 1_500], () => {
      faults.gateway = true;
      return () => void (faults.gateway = false);
    }),
    standing("throttled", [100, 500], (random) => {
      faults.throttle = random.whole(1, 30);
      return () => void (faults.throttle = 0);
    }),
    standing("slow", [200, 1_500], (random) => {
      faults.latencyMs = random.whole(50, 800);
      return () => void (faults.latencyMs = 0);
    }),
    standing("expired credentials", [100, 1_000], () => {
      faults.expiredToken = true;
      return () => void (faults.expiredToken = false);
    }),
    standing("a permission is taken", [100, 1_000], (random) => {
      const permission = random.pick(permissions);
      faults.denied.add(permission);
      return () => void faults.denied.delete(permission);
    }),
    standing("some entries fail", [100, 1_500], (random) => {
      const [meant, odd] = [random.pick(batches), random.whole(0, 1)];
      faults.failEntry = (action, entry) => {
        const about = String(entry["ReceiptHandle"] ?? entry["MessageBody"]);
        return action === meant && about.charCodeAt(about.length - 1) % 2 === odd ? "InternalError" : null;
      };
      return () => void (faults.failEntry = null);
    }),
    standing("answers are lost", [50, 500], (random) => {
      const action = random.pick([...batches, "SendMessage", "ReceiveMessage", "DeleteMessage"]);
      faults.loseAnswer.add(action);
      return () => void faults.loseAnswer.delete(action);
    }),
    standing("messages come again", [0, 20], () => {
      // At least once: what is in flight may be received by another as well, and old handles go.
      for (const queue of queues.values()) {
        if (queue.name.includes("-dead")) continue;
        for (const message of queue.messages.values())
          message.visibleAt = Math.min(message.visibleAt, Date.now());
        queue.wake();
      }
      return () => undefined;
    }),
  ];
}

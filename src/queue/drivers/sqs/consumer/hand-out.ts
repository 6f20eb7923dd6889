import type { Clock } from "../../../../clock.ts";
import type { Lease, LeaseOptions } from "../../../driver.ts";
import type { AttemptMemory } from "../attempts.ts";
import type { Deletions } from "./deletions.ts";
import type { Ended } from "./ended.ts";
import { unavailable } from "../errors.ts";
import type { Keeper } from "./keeper.ts";
import type { MessageLine } from "./message-line.ts";
import type { MessageLines } from "./message-lines.ts";
import { messageInfo, type HeldMessage } from "../message.ts";

export interface HandOutOptions {
  readonly lines: MessageLines;
  readonly keeper: Keeper;
  readonly memory: AttemptMemory;
  readonly ended: Ended;
  readonly deletions: Deletions;
  readonly clock: Clock;
  /** A message that has been received too often without an end; see settling/action.ts. */
  readonly isReceivedTooOften: (message: HeldMessage) => boolean;
  /** Makes a dead letter of the head of an offered line. */
  readonly giveUp: (line: MessageLine) => void;
}

/**
 * Leases the heads that may start now.
 *
 * What has waited here for more than a third of its lease is renewed before: nobody gets a lease that is
 * about to end. Throws DriverUnavailableError when that fails and nothing else can be handed out.
 */
export function createHandOut(options: HandOutOptions) {
  const { lines, keeper, memory, clock } = options;
  let leases = 0;

  const grant = (queue: string, request: LeaseOptions, line: MessageLine): Lease[] => {
    const head = line.messages[0] as HeldMessage;
    if (options.ended.has(head.id)) {
      options.deletions.hold(line, null);
      keeper.watch();
      return [];
    }
    if (options.isReceivedTooOften(head)) {
      options.giveUp(line);
      return [];
    }
    const now = clock.monotonic();
    if (memory.recall(head.id).parkKey !== null) memory.remember(head.id, { parkKey: null });
    leases += 1;
    const token = `${leases}:${head.handle}`;
    lines.grant(line, token, queue, now + request.leaseMs, now);
    return [
      {
        queue,
        token,
        job: {
          id: head.jobId,
          body: head.body,
          attempts: memory.recall(head.id).attempts,
          enqueuedAt: head.enqueuedAt,
          message: messageInfo(head),
        },
      },
    ];
  };

  /** Renews lines; those that are lost are dropped. Returns the error of a call that failed, or null. */
  const renew = async (stale: readonly MessageLine[], leaseMs: number, now: number): Promise<unknown> => {
    const isGone = ({ messages }: MessageLine): boolean => (messages[0]?.hiddenUntil ?? 0) <= now;
    keeper.abandon(stale.filter(isGone));
    const renewable = stale.filter((line) => !isGone(line));
    const results = await keeper.hide(
      renewable.map(({ messages }) => ({ message: messages[0] as HeldMessage, forMs: leaseMs })),
    );
    let failure: unknown = null;
    for (const [index, line] of renewable.entries()) {
      const result = results[index];
      if (result?.status === "ok" || line.state !== "offered") continue;
      if (result?.status === "unknown") {
        failure = result.error;
        lines.ready(line, clock.monotonic());
      } else keeper.abandon([line]);
    }
    return failure;
  };

  return async (queue: string, request: LeaseOptions): Promise<Lease[]> => {
    const now = clock.monotonic();
    const offered = lines.offer(request.max, now, request.closedKeys, request.parkedMax);
    if (offered.length === 0) return [];
    const leastMs = (request.leaseMs * 2) / 3;
    const stale = offered.filter(({ messages }) => (messages[0]?.hiddenUntil ?? 0) - now < leastMs);
    const failure = stale.length === 0 ? null : await renew(stale, request.leaseMs, now);
    const granted = offered.flatMap((line) => (line.state === "offered" ? grant(queue, request, line) : []));
    if (granted.length === 0 && failure !== null) throw unavailable(failure);
    return granted;
  };
}

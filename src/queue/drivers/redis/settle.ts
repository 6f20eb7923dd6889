import { DriverUnavailableError } from "../../../errors.ts";
import type { SettleResult, Settlement } from "../../driver.ts";
import { evaluate, replyList, replyText } from "./evaluate.ts";
import type { ScriptArgument } from "./evaluate.ts";
import type { QueueKeys } from "./keys.ts";
import { chunk } from "./limits.ts";
import { bodyArgument, bodyBytes } from "./record.ts";
import type { DeadMeta } from "./record.ts";
import { settleScript } from "./scripts.ts";
import { onServer } from "./topology.ts";
import type { Topology } from "./topology.ts";

/** One settlement and its place in the caller's list. */
export interface IndexedSettlement {
  readonly index: number;
  readonly settlement: Settlement;
}

export interface SettleOutcome {
  readonly index: number;
  readonly result: SettleResult;
}

/**
 * Ends leases of one queue, calls of up to 500 sent together. Settlements of a call that failed have its error
 * as result; whether they took effect is not known, and asking again is safe.
 */
export async function settleLeases(
  topology: Topology,
  keys: QueueKeys,
  deadLetterRetention: number,
  settlements: readonly IndexedSettlement[],
  onTrimmed: (count: number) => void,
): Promise<SettleOutcome[]> {
  const calls = chunk(settlements, ({ settlement }) => settlementBytes(settlement)).map(async (items) => {
    // The script answers acks first.
    const acks = items.filter(({ settlement }) => settlement.verb === "ack");
    const others = items.filter(({ settlement }) => settlement.verb !== "ack");
    const args: ScriptArgument[] = [deadLetterRetention, acks.length];
    for (const { settlement } of acks) args.push(settlement.lease.token);
    for (const { settlement } of others) pushSettlement(args, settlement);
    try {
      const reply = await onServer(topology, keys.ready, "settling", async (server) =>
        evaluate(await server.commands(), settleScript, keys.all, args),
      );
      const [states, trimmed] = replyList(reply);
      if (Number(trimmed) > 0) onTrimmed(Number(trimmed));
      const text = replyText(states);
      return [...acks, ...others].map(({ index }, position): SettleOutcome => {
        return { index, result: { status: text[position] === "1" ? "settled" : "lost" } };
      });
    } catch (error) {
      if (!(error instanceof DriverUnavailableError)) throw error;
      return items.map(({ index }): SettleOutcome => ({ index, result: { status: "failed", error } }));
    }
  });
  return (await Promise.all(calls)).flat();
}

function settlementBytes(settlement: Settlement): number {
  if (settlement.verb === "replace") {
    return settlement.jobs.reduce((sum, { body }) => sum + bodyBytes(body), 0);
  }
  return "body" in settlement && settlement.body !== undefined ? bodyBytes(settlement.body) : 0;
}

function pushSettlement(args: ScriptArgument[], settlement: Settlement): void {
  args.push(settlement.verb, settlement.lease.token);
  switch (settlement.verb) {
    case "ack":
    case "release":
      return;
    case "retry":
      args.push(Math.max(0, Math.round(settlement.delayMs)));
      break;
    case "park":
      args.push(settlement.key);
      break;
    case "dead": {
      const { reason, detail, endpoint } = settlement;
      args.push(
        JSON.stringify({ reason, detail, endpoint } satisfies DeadMeta),
        settlement.attempted ? 1 : 0,
      );
      break;
    }
    case "replace":
      args.push(settlement.jobs.length);
      for (const job of settlement.jobs) args.push(job.id, bodyArgument(job.body));
      return;
  }
  if (settlement.body === undefined) args.push(1, "");
  else args.push(0, bodyArgument(settlement.body));
}

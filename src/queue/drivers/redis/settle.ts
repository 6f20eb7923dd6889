import { DriverUnavailableError } from "../../../errors.ts";
import { bodyBytes } from "../../../jobs/body.ts";
import type { SettleResult, Settlement } from "../../driver.ts";
import type { DeadMeta } from "./dead-record.ts";
import { replyText } from "./evaluate.ts";
import type { ScriptArgument } from "./evaluate.ts";
import { chunk } from "./limits.ts";
import type { QueueLink } from "./queue-link.ts";
import { bodyArgument } from "./record.ts";
import { settleScript } from "./settle-script.ts";

const settled: SettleResult = { status: "settled" };
const lost: SettleResult = { status: "lost" };

/**
 * Ends leases of one queue, calls of up to 500 sent together; one result per settlement, in order.
 * Settlements of a call that failed have its error as result; whether they took effect is not known, and
 * asking again is safe. A part of a call may fail by itself, and then has not taken effect.
 */
export async function settleLeases(
  link: QueueLink,
  deadLetterRetention: number,
  settlements: readonly Settlement[],
  onTrimmed: (count: number) => void,
): Promise<SettleResult[]> {
  const settleSome = async (items: readonly Settlement[]): Promise<SettleResult[]> => {
    // The script answers acks first.
    const acks = items.filter(({ verb }) => verb === "ack");
    const args: ScriptArgument[] = [deadLetterRetention, acks.length];
    for (const { lease } of acks) args.push(lease.token);
    if (acks.length < items.length) {
      for (const item of items) if (item.verb !== "ack") pushSettlement(args, item);
    }
    try {
      const { values, fault } = await link.evaluate("settling", settleScript, args);
      const trimmed = Number(values[2]);
      if (trimmed > 0) onTrimmed(trimmed);
      const text = replyText(values[1]);
      const failed: SettleResult | null = fault === null ? null : { status: "failed", error: fault };
      let nextAck = 0;
      let nextOther = acks.length;
      return items.map(({ verb }) => {
        const position = verb === "ack" ? nextAck++ : nextOther++;
        if (text[position] === "1") return settled;
        return text[position] === "x" && failed !== null ? failed : lost;
      });
    } catch (error) {
      if (!(error instanceof DriverUnavailableError)) throw error;
      return items.map(() => ({ status: "failed", error }));
    }
  };
  const calls = chunk(settlements, settlementBytes).map(settleSome);
  if (calls.length === 1) return calls[0] as Promise<SettleResult[]>;
  return (await Promise.all(calls)).flat();
}

function settlementBytes(settlement: Settlement): number {
  if (settlement.verb === "ack" || settlement.verb === "release") return 0;
  if (settlement.verb === "replace") {
    return settlement.jobs.reduce((sum, { body }) => sum + bodyBytes(body), 0);
  }
  return settlement.body === undefined ? 0 : bodyBytes(settlement.body);
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
  args.push(settlement.id ?? "");
}

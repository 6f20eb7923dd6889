import type { DriverCapabilities } from "../../driver.ts";
import { maxDelayMs, metaBytes } from "./send.ts";

/** What the sqs driver can do, with queues that all take messages of `maxBytes`. */
export function sqsCapabilities(fifo: boolean, maxBytes: number): DriverCapabilities {
  return {
    durable: true,
    dedup: fifo,
    fenced: false,
    refundsAttempt: true,
    exactStats: false,
    listsDeadLetters: false,
    ordersGroups: fifo,
    maxBatch: 256,
    maxPayloadBytes: maxBytes - metaBytes,
    maxDelayMs: fifo ? 0 : maxDelayMs,
    pauseScope: "process",
    settleLingerMs: 5,
  };
}

import { readFileSync } from "node:fs";

/** SIGHUP's bit in the masks of /proc/self/status: signal 1 is the lowest. */
const hangUpBit = 1n;

/**
 * The signals that end a server in order: SIGTERM, SIGINT, and SIGHUP, which comes when its terminal goes. Where
 * stderr is no terminal, `serve` reloads at SIGHUP instead.
 *
 * Under nohup SIGHUP is ignored from the start, and stays so: listening to it would undo what was asked for.
 */
export function endSignals(): NodeJS.Signals[] {
  return isHangUpIgnored() ? ["SIGTERM", "SIGINT"] : ["SIGTERM", "SIGINT", "SIGHUP"];
}

/** Told by Linux only (proc_pid_status(5)); elsewhere it counts as not ignored. */
function isHangUpIgnored(): boolean {
  try {
    const ignored = /^SigIgn:\s*([0-9a-f]+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
    return ignored !== undefined && (BigInt(`0x${ignored}`) & hangUpBit) !== 0n;
  } catch {
    return false;
  }
}

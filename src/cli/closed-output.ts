import { readFileSync } from "node:fs";
import type { LineWriter } from "./line-writer.ts";

/** Linux's O_CLOEXEC, as /proc/self/fdinfo shows it (proc_pid_fdinfo(5)). */
const closeOnExec = 0o2000000;

/**
 * The error of having written to a standard output that was closed when the process began (`>&-`); null when
 * nothing was written, or it was open.
 *
 * The runtime then opens /dev/null in its place, so that writing succeeds. What tells is that Bun opens it
 * close-on-exec, which no descriptor is that was handed down. On Deno, and without /proc, nothing tells.
 */
export function findClosedOutput(stdout: Pick<LineWriter, "isUsed">): Error | null {
  if (!stdout.isUsed) return null;
  try {
    const flags = /^flags:\s*([0-7]+)/m.exec(readFileSync("/proc/self/fdinfo/1", "utf8"))?.[1];
    if (flags === undefined || (Number.parseInt(flags, 8) & closeOnExec) === 0) return null;
    return Object.assign(new Error("it was closed from the start"), { code: "EBADF" });
  } catch {
    return null;
  }
}

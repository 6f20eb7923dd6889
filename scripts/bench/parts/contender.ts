import { readFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";

/** A process under measurement. */
export interface Contender {
  readonly pid: number;
  /** Whether it has ended by itself, or was stopped. */
  readonly hasEnded: () => boolean;
  stop(): Promise<void>;
}

/** Starts a program with only these variables beside PATH. */
export function startContender(
  command: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Contender {
  const child = Bun.spawn([...command], {
    env: { PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? "", ...env },
    stdin: "ignore",
    stdout: "ignore",
    stderr: process.env["BENCH_LOG"] === "1" ? "inherit" : "ignore",
  });
  return {
    pid: child.pid,
    hasEnded: () => child.exitCode !== null || child.signalCode !== null,
    async stop() {
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
      await child.exited;
      clearTimeout(timer);
    },
  };
}

/** CPU time of a process in ms so far, user and system (proc(5), fields 14 and 15; 100 ticks a second). */
export function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** Resident memory of a process in MB: now, or the most it ever had. */
export function memoryMb(pid: number, what: "VmRSS" | "VmHWM"): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(new RegExp(`${what}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) / 1024;
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

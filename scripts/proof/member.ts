import { readdirSync, readFileSync } from "node:fs";
import { startExecutable, token } from "../../test/support/executable.ts";
import type { Executable, StartOptions } from "../../test/support/executable.ts";
import { keepLog } from "./logs.ts";
import { now, pause } from "./weather.ts";

/** A process that ended although nobody ended it. */
export interface OwnEnd {
  readonly member: string;
  /** Epoch ms of its start and of its end. */
  readonly startedAt: number;
  readonly at: number;
  /** It ended before it listened. */
  readonly isAtStart: boolean;
  /** What it wrote last. */
  readonly output: string;
}

/** One hookline that is ended and started again, many times. */
export interface Member {
  readonly name: string;
  /** Null while it is down. */
  readonly server: Executable | null;
  readonly ownEnds: readonly OwnEnd[];
  /** Starts it, if it is down, and resolves when it listens. */
  start(): Promise<void>;
  /** Ends it, if it runs. */
  end(signal: "SIGKILL" | "SIGTERM"): Promise<void>;
  signal(name: NodeJS.Signals): void;
  /** Writes what the configuration is now into its file; it reads that at its next start or reload. */
  configure(): void;
  /** Asks it; throws where it does not answer in time. */
  ask(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<MemberAnswer>;
  close(): Promise<void>;
}

export interface MemberAnswer {
  readonly status: number;
  // oxlint-disable-next-line typescript/no-explicit-any -- answers of the API, of which parts are looked at.
  readonly body: any;
}

const askTimeoutMs = 2_500;

/** A member with this configuration; `options.command` where it is not the executable that is built of these sources. */
export function createMember(
  name: string,
  config: () => object,
  options: Pick<StartOptions, "command" | "env"> = {},
): Member {
  let server: Executable | null = null;
  let isWanted = false;
  let last: Promise<void> = Promise.resolve();
  const ownEnds: OwnEnd[] = [];

  /** Ends and starts come one after the other. */
  const inTurn = (work: () => Promise<void>): Promise<void> => {
    last = last.then(work, work);
    return last;
  };
  const noteEnd = (startedAt: number, isAtStart: boolean, output: string): void => {
    ownEnds.push({ member: name, startedAt, at: now(), isAtStart, output: output.slice(-2_000) });
  };
  const watch = (started: Executable, startedAt: number): void => {
    void started.exited.then((code) => {
      keepLog(name, started.output());
      if (server !== started || !isWanted) return;
      const output = started.output();
      // Until its backend can be used a process is still starting.
      const isAtStart = code === 78 || isWaiting(output);
      noteEnd(startedAt, isAtStart, `exit ${code}\n${output}`);
      server = null;
      // Whoever runs it starts it again, as a service manager does.
      void inTurn(launch);
    });
  };
  const launch = async (): Promise<void> => {
    if (server !== null) return;
    let startedAt = now();
    for (let attempt = 1; server === null; attempt += 1) {
      if (!isWanted) return;
      startedAt = now();
      try {
        server = await startExecutable(config(), { waitReady: false, ...options });
      } catch (error) {
        // A start that takes too long on a busy machine is tried again, and is no end of its own.
        if (/ended with/.test(String(error))) noteEnd(startedAt, true, String(error));
        if (attempt === 20) return;
        await pause(200);
      }
    }
    watch(server, startedAt);
  };

  const member: Member = {
    name,
    get server() {
      return server;
    },
    ownEnds,
    start() {
      isWanted = true;
      return inTurn(launch);
    },
    end(signal) {
      isWanted = false;
      return inTurn(async () => {
        const ending = server;
        server = null;
        if (ending === null) return;
        ending.signal(signal);
        await ending.exited;
      });
    },
    signal: (name) => server?.signal(name),
    configure: () => server?.configure(config()),
    async ask(method, path, body, headers = {}) {
      if (server === null) throw new Error(`${name} is down`);
      const response = await fetch(server.url + path, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          ...(body === undefined ? {} : { "content-type": "application/json" }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(askTimeoutMs),
      });
      const text = await response.text();
      return { status: response.status, body: text.startsWith("{") ? (JSON.parse(text) as unknown) : text };
    },
    async close() {
      await member.end("SIGKILL");
    },
  };
  return member;
}

function isWaiting(output: string): boolean {
  return (
    output.includes("nothing is consumed until") && !output.includes("the backend can be used; consuming")
  );
}

/** What a process holds. */
export interface Holdings {
  readonly rssMb: number;
  readonly descriptors: number;
}

export function holdingsOf(pid: number): Holdings {
  const kb = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
  return { rssMb: Math.round(kb / 1024), descriptors: readdirSync(`/proc/${pid}/fd`).length };
}

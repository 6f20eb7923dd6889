import { join } from "node:path";

/** The record that counts what is in flight on all paths together. */
export const everything = "*";

/** What one path of the receiver does. */
export type NamedBehaviour =
  | "hang"
  | {
      readonly status: number;
      readonly delayMs?: number;
      readonly headers?: Readonly<Record<string, string>>;
    };

/** What one path has seen since it was last cleared. */
export interface ReceivedByName {
  inFlight: number;
  mostInFlight: number;
  /** Epoch ms, with fractions, of each request's arrival. */
  readonly at: number[];
  /** Milliseconds from `sent_at` in the job's data (test/support/lane-load.ts) to arrival. */
  readonly delaysMs: number[];
  /** `n` in the job's data. */
  readonly jobs: number[];
}

/** What the process is told. */
export type ReceiverCommand =
  | {
      readonly id: number;
      readonly do: "behave";
      readonly names: readonly string[];
      readonly behaviour: NamedBehaviour;
    }
  | { readonly id: number; readonly do: "count"; readonly name: string }
  | { readonly id: number; readonly do: "look" | "clear" };

/** A receiver in a process of its own; each path of its URL is an endpoint that behaves as it is told. */
export interface ReceiverProcess extends AsyncDisposable {
  /** `http://127.0.0.1:PORT`; an endpoint's URL is this with `/NAME`. */
  readonly url: string;
  readonly pid: number;
  /** From now on; paths that were never mentioned answer 200 at once. */
  behave(names: readonly string[], behaviour: NamedBehaviour): Promise<void>;
  /** How many jobs came to this path, each counted once. Cheap. */
  count(name: string): Promise<number>;
  /** What came so far, by path; a path that saw nothing is missing. */
  look(): Promise<Readonly<Record<string, ReceivedByName>>>;
  /** As `look`, and starts counting anew. */
  clear(): Promise<Readonly<Record<string, ReceivedByName>>>;
}

/** Starts one on a free port; `await using` ends it. */
export async function startReceiverProcess(): Promise<ReceiverProcess> {
  const started = Promise.withResolvers<number>();
  const answers = new Map<number, (value: unknown) => void>();
  let lastId = 0;
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "receiver-process-main.ts")], {
    stdin: "ignore",
    stdout: "inherit",
    stderr: "inherit",
    ipc(message: { port: number } | { id: number; value: unknown }) {
      if ("port" in message) return started.resolve(message.port);
      answers.get(message.id)?.(message.value);
      answers.delete(message.id);
    },
    onExit: () => started.reject(new Error("the receiver's process ended before it listened")),
  });
  type Question = ReceiverCommand extends infer Each
    ? Each extends unknown
      ? Omit<Each, "id">
      : never
    : never;
  const ask = <T>(command: Question): Promise<T> => {
    lastId += 1;
    const id = lastId;
    return new Promise<T>((resolve) => {
      answers.set(id, (value) => resolve(value as T));
      child.send({ ...command, id });
    });
  };
  const port = await started.promise;
  return {
    url: `http://127.0.0.1:${port}`,
    pid: child.pid,
    behave: (names, behaviour) => ask({ do: "behave", names, behaviour }),
    count: (name) => ask({ do: "count", name }),
    look: () => ask({ do: "look" }),
    clear: () => ask({ do: "clear" }),
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

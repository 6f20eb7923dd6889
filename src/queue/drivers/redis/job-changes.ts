import type { Buffer } from "node:buffer";
import { DriverUnavailableError } from "../../../errors.ts";
import type { ListedJob, RefOutcome } from "../../job-lists.ts";
import { changeScript } from "./change-script.ts";
import { replyText } from "./evaluate.ts";
import type { ScriptArgument } from "./evaluate.ts";
import { listedJob, placePrefix, readRef, type JobPlace } from "./job-place.ts";
import { randomName } from "./lease-call.ts";
import { chunk } from "./limits.ts";
import type { Operation } from "./operation.ts";
import type { QueueLink } from "./queue-link.ts";

type Verb = "read" | "run" | "cancel";

const operations = {
  read: "listing jobs",
  run: "running jobs",
  cancel: "cancelling jobs",
} as const satisfies Record<Verb, Operation>;

/** Jobs in one script call. Of those that moved far one is searched for among a thousand, and the others in the next call. */
const mostInACall = 200;
/** A job of a list that lost more jobs than this since is not searched for. */
const longestSearch = 100_000;

/** A ref that is still asked for: its places in the answer, where it stands, and where the search goes on. */
interface Asked {
  readonly indexes: number[];
  readonly place: JobPlace;
  at: string;
}

/**
 * Reads, runs or cancels the jobs that refs name; see JobLists. Every call of the script is one step: it ends done, or with every job that it
 * has not named as done where it was.
 */
export async function changeJobs(
  link: QueueLink,
  verb: Verb,
  refs: readonly string[],
): Promise<RefOutcome[]> {
  const outcomes: RefOutcome[] = refs.map(() => ({ status: "not_found" }));
  const byRef = new Map<string, Asked>();
  for (const [index, ref] of refs.entries()) {
    const known = byRef.get(ref);
    const place = readRef(ref);
    if (known !== undefined) known.indexes.push(index);
    else if (place !== null) byRef.set(ref, { indexes: [index], place, at: place.at });
  }
  const settle = ({ indexes }: Asked, outcome: RefOutcome): void => {
    for (const index of indexes) outcomes[index] = outcome;
  };

  /** Asks for some of them once; gives those whose search goes on. */
  const ask = async (some: readonly Asked[]): Promise<Asked[]> => {
    const args: ScriptArgument[] = [verb, `hookline:cancelled:${randomName()}`];
    for (const { place, at } of some) {
      args.push(place.place, place.key, at, place.size, place.sha, place.prefix);
    }
    const { values, fault } = await link.evaluate(operations[verb], changeScript, args);
    const now = Number(values[1]);
    const far: Asked[] = [];
    for (const [index, asked] of some.entries()) {
      const [code, number, bytes] = values.slice(2 + 3 * index, 5 + 3 * index);
      const outcome = replyText(code);
      if (outcome === "~") {
        asked.at = String(number);
        if (Number(asked.place.at) - Number(number) <= longestSearch) far.push(asked);
      } else if (outcome === "x") {
        const error = fault ?? new DriverUnavailableError("redis: the job was not changed");
        settle(asked, { status: "failed", error });
      } else if (outcome !== "0") {
        const until = typeof number === "number" ? "0" : replyText(number);
        const job =
          outcome === "1"
            ? readJob(asked.place, bytes as Buffer, until, now)
            : // It stands among the leases now, wherever it was listed.
              readJob({ ...asked.place, place: "leases" }, bytes as Buffer, String(now + 1), now);
        settle(asked, { status: outcome === "1" ? "done" : "leased", job });
      }
    }
    return far;
  };

  let left = [...byRef.values()];
  let isFirst = true;
  while (left.length > 0) {
    const next: Asked[] = [];
    for (const some of callsOf(left)) {
      try {
        next.push(...(await ask(some)));
      } catch (error) {
        if (isFirst || !(error instanceof DriverUnavailableError)) throw error;
        for (const asked of some) settle(asked, { status: "failed", error });
      }
      isFirst = false;
    }
    left = next;
  }
  return outcomes;
}

/** The jobs that refs name; see JobLists. */
export async function readJobs(link: QueueLink, refs: readonly string[]): Promise<(ListedJob | null)[]> {
  const outcomes = await changeJobs(link, "read", refs);
  return outcomes.map((outcome) => {
    if (outcome.status === "failed") throw outcome.error;
    return outcome.status === "not_found" ? null : outcome.job;
  });
}

function* callsOf(asked: readonly Asked[]): Generator<Asked[]> {
  for (const some of chunk(asked, ({ place }) => place.size)) {
    for (let at = 0; at < some.length; at += mostInACall) yield some.slice(at, at + mostInACall);
  }
}

function readJob(place: JobPlace, bytes: Buffer, until: string, now: number): ListedJob {
  return listedJob({ ...place, size: bytes.length, prefix: placePrefix(bytes) }, bytes, until, now);
}

import { UsageError } from "../errors.ts";
import { parseArguments } from "./arguments.ts";
import type { CommandIo, RunCommand } from "./command.ts";
import { cell, listCommand, queryOf } from "./list-command.ts";
import {
  askServer,
  findServer,
  reportRefusal,
  requireMember,
  serverFlags,
  type Server,
  type ServerAnswer,
} from "./server.ts";
import { showCommand } from "./show-command.ts";
import { withSubcommands } from "./subcommand-runner.ts";

/** The filters of the API, as flags. */
const filters = ["state", "app", "endpoint", "event", "job-id", "since", "until"] as const;

/** A job as the API lists it. */
interface Item {
  readonly ref: string;
  readonly state: string;
  readonly id: string | null;
  readonly attempts: number;
  readonly enqueued_at: string | null;
  readonly due_at: string | null;
  readonly lease_ends_at: string | null;
  readonly endpoint: string | null;
  readonly events: readonly string[];
}

const jobsPath = (queue: string): string => `/v1/queues/${encodeURIComponent(queue)}/jobs`;

const ls = listCommand<Item>({
  positionals: ["QUEUE"],
  filters,
  path: ([queue = ""]) => jobsPath(queue),
  head: ["ID", "STATE", "ATTEMPTS", "ENQUEUED AT", "DUE AT", "ENDPOINT", "EVENTS", "REF"],
  rowOf: ({ id, state, attempts, enqueued_at: enqueuedAt, due_at: dueAt, endpoint, events, ref }) => [
    cell(id),
    state,
    cell(attempts),
    cell(enqueuedAt),
    cell(dueAt),
    cell(endpoint),
    cell(events.join(",") || null),
    ref,
  ],
  none: "no such jobs",
  partial: "the server has more",
});

const show = showCommand({
  positional: "ID",
  path: (id) => `/v1/jobs/${encodeURIComponent(id)}`,
  member: "deliveries",
  parameters: ["queue"],
});

type Verb = "run" | "cancel";

/** Where the jobs stand that a verb changes. */
const changed = { run: ["delayed", "parked"], cancel: ["ready", "delayed", "parked"] } as const;

/** What the server says became of jobs; ids or refs, as they were given. */
interface Told {
  done: number;
  readonly leased: string[];
  readonly not_found: string[];
  complete?: boolean;
  readonly failed: Record<string, number>;
}

/** `run` and `cancel`: by ids, by refs, or all that fit filters. */
function changeCommand(verb: Verb): RunCommand {
  return async (args, io) => {
    const { values, switches, positionals } = parseArguments(args, {
      values: [...serverFlags, ...filters],
      switches: ["json", "all", "refs"],
      positionals: ["QUEUE", "ID..."],
      required: 1,
    });
    const [queue = "", ...names] = positionals;
    const query = queryOf(values, filters);
    const isFiltered = Object.keys(query).length > 0;
    const ways = [names.length > 0, isFiltered, switches.has("all")].filter(Boolean).length;
    if (ways !== 1) {
      throw new UsageError(
        `jobs ${verb}: give ids, or refs after --refs, or filters as --endpoint, or --all`,
      );
    }
    if (switches.has("refs") && names.length === 0)
      throw new UsageError("--refs: give the refs, as ls lists them");
    const server = await findServer(values, io);
    const told: Told = { done: 0, leased: [], not_found: [], failed: {} };
    const asJson = switches.has("json");
    const kind = switches.has("refs") || names.length === 0 ? "refs" : "ids";
    const refused = (answer: ServerAnswer): number => {
      print(verb, told, asJson, io);
      reportRefusal(answer, io);
      return 1;
    };
    let refusal: ServerAnswer | null = null;
    const ask = async (path: string, body?: object): Promise<ServerAnswer | null> => {
      const more = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
      const answer = await askServer(server, { path, ...more });
      if (answer.status === 200) return answer;
      refusal = answer;
      return null;
    };
    const groups =
      names.length > 0
        ? chunks(names, kind === "refs" ? 1_000 : 100)
        : refsOf((path) => ask(path), server, queue, verb, query);
    for await (const group of groups) {
      const answer = await ask(`${jobsPath(queue)}/${verb}`, { [kind]: group });
      if (answer === null) break;
      add(told, requireMember(server, answer, "done"));
    }
    return refusal === null ? print(verb, told, asJson, io) : refused(refusal);
  };
}

function* chunks(names: readonly string[], size: number): Generator<readonly string[]> {
  for (let at = 0; at < names.length; at += size) yield names.slice(at, at + size);
}

/**
 * The refs of all jobs that fit, page by page; no more than waited at the start, or it might never end.
 *
 * @param ask Asks the server; null where it refused, which ends it.
 */
async function* refsOf(
  ask: (path: string) => Promise<ServerAnswer | null>,
  server: Server,
  queue: string,
  verb: Verb,
  query: Readonly<Record<string, string>>,
): AsyncGenerator<readonly string[]> {
  const states = query["state"] === undefined ? changed[verb] : [query["state"]];
  const start = await ask(`/v1/queues/${encodeURIComponent(queue)}`);
  const counts = (start?.body ?? {}) as Readonly<Record<string, unknown>>;
  for (const state of states) {
    let left = Number(counts[state] ?? 0);
    let cursor: string | null = null;
    while (left > 0) {
      const parameters = new URLSearchParams({ ...query, state, limit: "1000" });
      if (cursor !== null) parameters.set("cursor", cursor);
      const page = await ask(`${jobsPath(queue)}?${parameters.toString()}`);
      if (page === null) return;
      const listed = requireMember(server, page, "items") as {
        items?: readonly Item[];
        cursor?: string | null;
      };
      const refs = (listed.items ?? []).slice(0, left).map(({ ref }) => ref);
      if (refs.length > 0) yield refs;
      left -= refs.length;
      cursor = listed.cursor ?? null;
      if (cursor === null) break;
    }
  }
}

function add(told: Told, more: Partial<Told>): void {
  told.done += more.done ?? 0;
  told.leased.push(...(more.leased ?? []));
  told.not_found.push(...(more.not_found ?? []));
  if (more.complete === false) told.complete = false;
  for (const [code, count] of Object.entries(more.failed ?? {})) {
    told.failed[code] = (told.failed[code] ?? 0) + count;
  }
}

/** The exit code: 1 where something that was named was left as it was. */
function print(verb: Verb, told: Told, asJson: boolean, io: CommandIo): number {
  const done = verb === "run" ? "ready now" : "cancelled";
  io.stdout.writeLine(asJson ? JSON.stringify(told) : `${told.done} ${done}`);
  for (const name of told.leased) io.reportError(`${name}: leased, and left alone`, { code: "leased" });
  for (const name of told.not_found) {
    const text = told.complete === false ? "not found among what was looked through" : "not there";
    io.reportError(`${name}: ${text}`, { code: "not_found" });
  }
  if (told.complete === false)
    io.reportError("too much waits to be looked through for ids: take refs of jobs ls", {
      code: "not_found",
    });
  for (const [code, count] of Object.entries(told.failed))
    io.reportError(`${count} failed: ${code}`, { code });
  const isWhole = told.leased.length + told.not_found.length + Object.keys(told.failed).length === 0;
  return isWhole ? 0 : 1;
}

/** `hookline jobs ls|show|run|cancel`: what waits in a queue, over the admin API. */
export const jobs: RunCommand = withSubcommands("jobs", {
  ls,
  show,
  run: changeCommand("run"),
  cancel: changeCommand("cancel"),
});

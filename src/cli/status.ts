import { parseArguments } from "./arguments.ts";
import type { CommandIo, RunCommand } from "./command.ts";
import { queueHead, queueRow, type ListedQueue } from "./queues.ts";
import { askServer, findServer, reportRefusal, requireMember, serverFlags, type Server } from "./server.ts";
import { formatTable } from "./table.ts";

/** A problem as GET /v1/problems lists it. */
interface ListedProblem {
  readonly kind: string;
  readonly severity: string;
  /** "" for the process or its backend. */
  readonly object: string;
  readonly since: string;
  readonly detail: string;
  readonly remedy: string;
}

/** What the server answered to one question; null when it refused, which stderr says then. */
type Asked<Entry> = readonly Entry[] | null;

/**
 * `hookline status`: what needs somebody, then the queues with their counts.
 *
 * 0 when nothing of severity error stands. A list that the server refuses (a backend that is away tells no counts)
 * does not hide the other; the exit code is 1 then.
 */
export const status: RunCommand = async (args, io) => {
  const { values, switches } = parseArguments(args, { values: serverFlags, switches: ["json"] });
  const server = await findServer(values, io);
  const problems = await askProblems(server, io);
  const queues = await askQueues(server, io);
  if (switches.has("json")) {
    io.stdout.writeLine(JSON.stringify({ problems: problems?.list ?? null, total: problems?.total, queues }));
  } else {
    if (problems !== null) printProblems(problems, io);
    if (problems !== null && queues !== null) io.stdout.write("\n");
    if (queues !== null) io.stdout.write(queueTable(queues));
  }
  const isWell = problems?.list.every(({ severity }) => severity !== "error") === true && queues !== null;
  return isWell ? 0 : 1;
};

interface AskedProblems {
  readonly list: readonly ListedProblem[];
  /** How many there are: the list holds the gravest thousand. */
  readonly total: number;
}

async function askProblems(server: Server, io: CommandIo): Promise<AskedProblems | null> {
  const answer = await askServer(server, { path: "/v1/problems" });
  if (answer.status !== 200) {
    reportRefusal(answer, io, "the problems");
    return null;
  }
  if (!Array.isArray(answer.body)) {
    // Throws: whoever answers 200 to everything is another program.
    requireMember(server, answer, "problems");
  }
  const list = answer.body as readonly ListedProblem[];
  return { list, total: Number(answer.headers.get("x-total-count") ?? list.length) };
}

/** All queues, over as many pages as it takes. */
async function askQueues(server: Server, io: CommandIo): Promise<Asked<ListedQueue>> {
  const queues: ListedQueue[] = [];
  for (let cursor: string | null = null; ;) {
    const query: string = cursor === null ? "" : `?cursor=${encodeURIComponent(cursor)}`;
    const answer = await askServer(server, { path: `/v1/queues${query}` });
    if (answer.status !== 200) {
      reportRefusal(answer, io, "the queues");
      return null;
    }
    const page = requireMember(server, answer, "queues") as unknown as {
      readonly queues: readonly ListedQueue[];
      readonly cursor?: string | null;
    };
    queues.push(...page.queues);
    cursor = page.cursor ?? null;
    // An empty page that leads on would be asked for again for ever.
    if (cursor === null || page.queues.length === 0) return queues;
  }
}

function printProblems({ list, total }: AskedProblems, io: CommandIo): void {
  if (list.length === 0) io.stdout.writeLine("nothing needs you");
  for (const { severity, kind, object, since, detail, remedy } of list) {
    const about = object === "" ? "" : `  ${object}`;
    io.stdout.writeLine(`${severity.padEnd(7)}  ${kind}${about}  since ${since}`);
    io.stdout.writeLine(`         ${detail}`);
    io.stdout.writeLine(`         remedy: ${remedy}`);
  }
  if (total > list.length) io.stdout.writeLine(`and ${total - list.length} more`);
}

function queueTable(queues: readonly ListedQueue[]): string {
  return formatTable([queueHead, ...queues.map(queueRow)]);
}

import { parseArguments } from "./arguments.ts";
import { ageText } from "./age-text.ts";
import type { RunCommand } from "./command.ts";
import { cell, listCommand } from "./list-command.ts";
import { askServer, findServer, reportRefusal, requireMember, serverFlags } from "./server.ts";
import { showCommand } from "./show-command.ts";
import { withSubcommands } from "./subcommand-runner.ts";

/** A queue as GET /v1/queues lists it; null is what the backend cannot tell. */
export interface ListedQueue {
  readonly name: string;
  readonly ready: number | null;
  readonly delayed: number | null;
  readonly leased: number | null;
  readonly parked: number | null;
  readonly dead: number | null;
  readonly oldest_ready_age_ms: number | null;
  readonly paused: boolean;
}

export const queueHead = ["QUEUE", "READY", "DELAYED", "LEASED", "PARKED", "DEAD", "OLDEST", ""] as const;

export function queueRow(queue: ListedQueue): string[] {
  const { name, ready, delayed, leased, parked, dead, oldest_ready_age_ms: age, paused } = queue;
  const counts = [ready, delayed, leased, parked, dead].map(cell);
  return [name, ...counts, age === null ? cell(null) : ageText(age), paused ? "paused" : ""];
}

const pathOf = (queue: string): string => `/v1/queues/${encodeURIComponent(queue)}`;

const ls = listCommand<ListedQueue>({
  member: "queues",
  path: () => "/v1/queues",
  head: queueHead,
  rowOf: queueRow,
  none: "no queues",
  partial: "the server has more",
});

const show = showCommand({ positional: "QUEUE", path: pathOf, member: "ready" });

/** `pause` and `resume`: of each queue that is named. */
function switchCommand(verb: "pause" | "resume"): RunCommand {
  return async (args, io) => {
    const { values, switches, positionals } = parseArguments(args, {
      values: serverFlags,
      switches: ["json"],
      positionals: ["QUEUE..."],
      required: 1,
    });
    const server = await findServer(values, io);
    let code = 0;
    for (const queue of positionals) {
      const answer = await askServer(server, { method: "POST", path: `${pathOf(queue)}/${verb}` });
      if (answer.status !== 200) {
        reportRefusal(answer, io, queue);
        code = 1;
        continue;
      }
      const { paused, scope } = requireMember(server, answer, "paused");
      const text = `${queue} ${paused === true ? "paused" : "resumed"} (${scope === "process" ? "this process" : "all processes"})`;
      io.stdout.writeLine(switches.has("json") ? answer.text.trimEnd() : text);
    }
    return code;
  };
}

/** `hookline queues [ls|show|pause|resume]`: the queues of a server, over the admin API. */
export const queues: RunCommand = withSubcommands(
  "queues",
  { ls, show, pause: switchCommand("pause"), resume: switchCommand("resume") },
  ls,
);

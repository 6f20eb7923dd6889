import { parseArguments } from "./arguments.ts";
import type { RunCommand } from "./command.ts";
import { queryOf } from "./list-command.ts";
import { askServer, findServer, reportRefusal, requireMember, serverFlags } from "./server.ts";

/** One thing of the server as a command. */
export interface ShowCommand {
  /** The name of its argument, as ID. */
  readonly positional: string;
  readonly path: (given: string) => string;
  /** A member that the answer of hookline has. */
  readonly member: string;
  /** Query parameters, as flags. */
  readonly parameters?: readonly string[];
}

/** The command that prints one thing as JSON: a body has no place in a table. Indented but under --json. */
export function showCommand({ positional, path, member, parameters = [] }: ShowCommand): RunCommand {
  return async (args, io) => {
    const { values, switches, positionals } = parseArguments(args, {
      values: [...serverFlags, ...parameters],
      switches: ["json"],
      positionals: [positional],
      required: 1,
    });
    const [given = ""] = positionals;
    const server = await findServer(values, io);
    const query = new URLSearchParams(queryOf(values, parameters)).toString();
    const answer = await askServer(server, { path: path(given) + (query === "" ? "" : `?${query}`) });
    if (answer.status !== 200) {
      reportRefusal(answer, io, given);
      return 1;
    }
    requireMember(server, answer, member);
    io.stdout.write(`${JSON.stringify(answer.body, null, switches.has("json") ? 0 : 2)}\n`);
    return 0;
  };
}

import { formatConfigIssue, type ConfigIssue } from "../errors.ts";
import { parseArguments } from "./arguments.ts";
import type { CommandIo, RunCommand } from "./command.ts";
import {
  askServer,
  findServer,
  reportRefusal,
  requireMember,
  serverFlags,
  type ServerAnswer,
} from "./server.ts";

/** As for a start with such a configuration (contract §5). */
const refusedCode = 78;

/** `hookline reload`: 0 when what the sources hold is in force, 78 when the server refused it, with all issues. */
export const reload: RunCommand = async (args, io) => {
  const { values, switches } = parseArguments(args, { values: serverFlags, switches: ["partial", "json"] });
  const server = await findServer(values, io);
  const answer = await askServer(server, {
    method: "POST",
    path: "/v1/config/reload",
    body: JSON.stringify({ partial: switches.has("partial") }),
  });
  const isJson = switches.has("json");
  if (isJson) io.stdout.write(`${answer.text.trimEnd()}\n`);
  if (answer.status !== 200) return refuse(answer, io, isJson);
  const { status, changed, needs_restart: waiting } = requireMember(server, answer, "status");
  if (isJson) return 0;
  const list = (paths: unknown): readonly string[] => (Array.isArray(paths) ? paths.map(String) : []);
  if (status === "unchanged") io.stdout.writeLine("nothing has changed");
  for (const path of list(changed)) io.stdout.writeLine(`changed: ${path}`);
  for (const path of list(waiting)) io.stdout.writeLine(`needs a restart: ${path}`);
  return 0;
};

function refuse(
  answer: ServerAnswer,
  io: Pick<CommandIo, "stderr" | "reportError">,
  isJson: boolean,
): number {
  const { code, issues } = (answer.body ?? {}) as { code?: unknown; issues?: unknown };
  if (code !== "config_refused" || !Array.isArray(issues)) {
    reportRefusal(answer, io);
    return 1;
  }
  if (!isJson) for (const issue of issues) io.stderr.writeLine(formatConfigIssue(issue as ConfigIssue));
  reportRefusal(answer, io);
  return refusedCode;
}

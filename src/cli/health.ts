import { parseArguments } from "./arguments.ts";
import type { RunCommand } from "./command.ts";
import { askServer, describeRefusal, findServer, requireMember, serverFlags } from "./server.ts";

/** `hookline health`: 0 when the server is alive (or ready), else 1 with the reason. For HEALTHCHECK. */
export const health: RunCommand = async (args, io) => {
  const { values, switches } = parseArguments(args, { values: serverFlags, switches: ["ready", "json"] });
  const server = await findServer(values, io);
  const path = switches.has("ready") ? "/health/ready" : "/health/live";
  const answer = await askServer(server, { path, timeoutMs: 3_000 });
  const isWell = answer.status === 200;
  // Whatever else listens there may answer 200 to everything.
  if (isWell) requireMember(server, answer, "status");
  if (switches.has("json")) io.stdout.write(`${answer.text.trimEnd()}\n`);
  else if (isWell) io.stdout.writeLine(`${switches.has("ready") ? "ready" : "alive"}: ${server.url}`);
  if (!isWell) io.reportError(`${server.url}${path}: ${describeHealth(answer)}`, { status: answer.status });
  return isWell ? 0 : 1;
};

function describeHealth(answer: Parameters<typeof describeRefusal>[0]): string {
  const body = (answer.body ?? {}) as { status?: unknown; reason?: unknown };
  if (typeof body.reason === "string") return `${answer.status} ${body.reason}`;
  if (typeof body.status === "string") return `${answer.status} ${body.status}`;
  return describeRefusal(answer);
}

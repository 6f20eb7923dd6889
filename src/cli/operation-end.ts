import { sleep } from "../wait.ts";
import type { CommandIo } from "./command.ts";
import { askServer, reportRefusal, requireMember, type Server, type ServerAnswer } from "./server.ts";

/** A bulk request as the server tells of it. */
export interface ToldOperation {
  readonly id: string;
  readonly kind: string;
  readonly state: string;
  readonly queue: string | null;
  readonly dry_run: boolean;
  readonly started_at: string;
  readonly total: number | null;
  readonly looked: number;
  readonly matched: number;
  readonly done: number;
  readonly skipped: Readonly<Record<string, number>>;
  readonly failed: Readonly<Record<string, number>>;
  readonly not_found?: readonly string[];
  readonly complete: boolean;
  readonly error: { readonly code: string; readonly detail: string } | null;
  readonly resendable?: number;
  readonly left?: number;
}

/** How often a server is asked how far it is. */
const askEveryMs = 500;

/** What each kind has done to what it was done to. */
const doneWords: Readonly<Record<string, string>> = {
  redrive: "redriven",
  remove: "removed",
  resend: "resent",
  reencrypt: "encrypted anew",
};

/**
 * Sends a bulk request, waits for its end and prints it: a line, or under --json the operation. The exit code: 1 where the
 * server refused, it did not come to its end, or something that was named was not there.
 */
export async function printOperation(
  server: Server,
  request: { readonly path: string; readonly body: object },
  { asJson }: { readonly asJson: boolean },
  io: CommandIo,
): Promise<number> {
  const body = JSON.stringify(request.body);
  let answer = await askServer(server, { method: "POST", path: request.path, body });
  while (answer.status === 202) {
    const { id, done, matched } = read(server, answer);
    if (!asJson) io.stderr.writeLine(`${id}: ${done} of ${matched} so far`);
    await sleep(askEveryMs);
    const next = await askServer(server, { path: `/v1/operations/${encodeURIComponent(id)}` });
    if (next.status !== 200) return refused(next, asJson, io);
    const isRunning = read(server, next).state === "running";
    answer = { ...next, status: isRunning ? 202 : 200 };
  }
  if (answer.status !== 200) return refused(answer, asJson, io);
  const told = read(server, answer);
  if (asJson) io.stdout.write(`${answer.text.trimEnd()}\n`);
  else printLines(told, io);
  return reportFaults(told, io);
}

function read(server: Server, answer: ServerAnswer): ToldOperation {
  return requireMember(server, answer, "state") as unknown as ToldOperation;
}

function refused(answer: ServerAnswer, asJson: boolean, io: CommandIo): number {
  if (asJson) io.stdout.write(`${answer.text.trimEnd()}\n`);
  reportRefusal(answer, io);
  return 1;
}

function printLines(told: ToldOperation, io: CommandIo): void {
  const word = doneWords[told.kind] ?? "done";
  if (told.dry_run) {
    const could = told.resendable ?? told.matched;
    const of = could === told.matched ? "" : ` of ${told.matched}`;
    io.stdout.writeLine(`${could}${of} would be ${word}`);
  } else {
    const of = told.matched > told.done ? ` of ${told.matched}` : "";
    io.stdout.writeLine(`${told.done}${of} ${word}`);
  }
  if ((told.left ?? 0) > 0) io.stdout.writeLine(`${told.left} left whose key is not configured`);
  for (const [why, count] of Object.entries(told.skipped)) io.stdout.writeLine(`left out, ${why}: ${count}`);
  if (!told.complete) io.stderr.writeLine("the backend shows a sample only: there may be more, ask again");
}

/** What went wrong, on stderr; the exit code. */
function reportFaults(told: ToldOperation, io: CommandIo): number {
  for (const id of told.not_found ?? []) io.reportError(`${id}: not there`, { code: "not_found" });
  for (const [code, count] of Object.entries(told.failed))
    io.reportError(`${count} failed: ${code}`, { code });
  if (told.error !== null) io.reportError(told.error.detail, { code: told.error.code });
  if (told.state === "stopped")
    io.reportError("it was stopped: the same again does the rest", { code: "stopped" });
  const faults = (told.not_found?.length ?? 0) + Object.keys(told.failed).length;
  return faults + (told.left ?? 0) === 0 && told.state === "done" ? 0 : 1;
}

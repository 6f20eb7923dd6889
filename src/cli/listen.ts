import process from "node:process";
import { shortened } from "../bounded-text.ts";
import { UsageError } from "../errors.ts";
import { verifyRequest } from "../receiver/check.ts";
import { forward } from "../receiver/forward.ts";
import { longestBodyBytes, startReceiver, type ReceivedRequest } from "../receiver/server.ts";
import { sleep } from "../wait.ts";
import { parseArguments, parseCount } from "./arguments.ts";
import type { RunCommand } from "./command.ts";
import { endSignals } from "./end-signals.ts";
import { keyFlags, readReceiverKeys } from "./listen-keys.ts";
import { eventNames, jsonLine, textLine, type ListenedAttempt } from "./listen-line.ts";

const defaultPort = 9641;
/** Webhook-ids whose attempts are counted: a receiver may run for weeks. */
const countedIds = 10_000;

/** `hookline listen`: a receiver that verifies each request and prints a line of it; 0 after a signal. */
export const listen: RunCommand = async (args, io) => {
  const { values, switches } = parseArguments(args, {
    values: [...keyFlags, "host", "port", "respond", "delay", "forward"],
    switches: ["json"],
  });
  if (values.respond !== undefined && values.forward !== undefined) {
    throw new UsageError("listen: --respond and --forward both say what is answered: give one of them");
  }
  const responses = values.respond === undefined ? null : parseResponses(values.respond);
  const target = values.forward === undefined ? null : parseTarget(values.forward);
  const delayMs = values.delay === undefined ? 0 : parseCount("--delay", values.delay, 0);
  const port = values.port === undefined ? defaultPort : parsePort(values.port);
  const keys = await readReceiverKeys(values, io);
  const toLine = switches.has("json") || !io.stdout.isTerminal ? jsonLine : textLine;

  const end = new AbortController();
  const ended = Promise.withResolvers<void>();
  const stop = (): void => {
    end.abort();
    ended.resolve();
  };
  const countAttempt = createAttemptCounter();
  let turn = 0;
  const answer = async (request: ReceivedRequest): Promise<Awaited<ReturnType<typeof forward>>> => {
    if (request.body === null) return { status: 413, fault: null };
    if (target !== null) return forward(target, request);
    if (responses === null) return { status: 200, fault: null };
    const status = responses[Math.min(turn, responses.length - 1)] as number;
    turn += 1;
    return { status, fault: null };
  };
  const print = (attempt: ListenedAttempt): void => {
    io.stdout.writeData(toLine(attempt));
    // Whoever read the lines has gone, as `head` does: there is nobody to listen for.
    void io.stdout.flush(1_000).then(() => io.stdout.isClosed && stop());
  };
  const receiver = await startReceiver({
    host: values.host ?? "127.0.0.1",
    port,
    words: { host: "--host", setHost: "set --host", port: "--port", setPort: "set --port" },
    onFault: (error) => io.reportError(`a request could not be answered: ${error.message}`),
    async answer(request) {
      const time = new Date().toISOString();
      const { headers, body, method, path } = request;
      const verification =
        body === null
          ? { verified: false, text: `the body is larger than ${longestBodyBytes} bytes` }
          : verifyRequest(keys, { headers, body }, Date.now());
      const webhookId = headers.get("webhook-id")?.[0] ?? null;
      const shownId = webhookId === null ? null : shortened(webhookId, 200);
      const attempt = shownId === null ? 1 : countAttempt(shownId);
      const answered = answer(request);
      await sleep(delayMs, end.signal);
      const { fault, ...reply } = await answered;
      const isRefused = responses === null && target === null && verification.verified === false;
      const status = isRefused && reply.status === 200 ? 401 : reply.status;
      print({
        time,
        method,
        path: shortened(path, 500),
        webhookId: shownId,
        attempt,
        events: body === null ? [] : eventNames(body),
        bytes: body === null ? null : body.length,
        verified: verification.verified,
        text: shortened(verification.text, 500),
        answered: status,
        fault,
      });
      return { ...reply, status };
    },
  });
  for (const signal of endSignals()) process.once(signal, stop);
  io.stderr.writeLine(
    switches.has("json") ? JSON.stringify({ url: receiver.url }) : introduction(receiver.url, keys),
  );
  await ended.promise;
  await receiver.close();
  return 0;
};

function introduction(url: string, keys: Awaited<ReturnType<typeof readReceiverKeys>>): string {
  const counts = `${keys.standard.length} signing keys and ${keys.pusher.length} Pusher secrets`;
  const hasKeys = keys.standard.length + keys.pusher.length > 0;
  return `listening at ${url}, ${hasKeys ? `verifying with ${counts}` : "verifying nothing: no key was given"}; Ctrl-C ends it`;
}

/** Counts how often each webhook-id has come; the ones that came least lately are forgotten. */
function createAttemptCounter(): (id: string) => number {
  const counts = new Map<string, number>();
  return (id) => {
    const count = (counts.get(id) ?? 0) + 1;
    counts.delete(id);
    counts.set(id, count);
    if (counts.size > countedIds) counts.delete(counts.keys().next().value as string);
    return count;
  };
}

function parseResponses(text: string): number[] {
  return text.split(",").map((part) => {
    const status = Number(part.trim());
    // What is below 200 is no answer to a request (RFC 9110 §15.2).
    if (/^\d{3}$/.test(part.trim()) && status >= 200 && status <= 599) return status;
    throw new UsageError(`--respond: expected statuses from 200 to 599, as in 500,200, got "${text}"`);
  });
}

function parsePort(text: string): number {
  const port = parseCount("--port", text, 0);
  if (port <= 65_535) return port;
  throw new UsageError(`--port: expected a port of at most 65535, got "${text}"`);
}

function parseTarget(text: string): URL {
  const url = /^https?:\/\//i.test(text) ? URL.parse(text) : null;
  if (url !== null && url.username === "" && url.password === "" && url.hash === "") return url;
  throw new UsageError(
    "--forward: expected something like http://127.0.0.1:3000/hook, without user and fragment",
  );
}

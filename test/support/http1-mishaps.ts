/**
 * A program of its own, for test/delivery/http1/mishaps.test.ts, on Bun and on Deno: lives through every mishap
 * and prints one JSON line: what each came to, and what nobody caught. It ends by itself when nothing is left
 * open. The authority's certificate and the server's pair come as one JSON argument.
 */
import process from "node:process";
import { createHttp1Exchange } from "../../src/delivery/http1/exchange.ts";
import type { Outcome } from "../../src/delivery/outcome.ts";
import { attempt, fixedResolver, httpEndpoint, transportOver, trusting } from "../delivery/attempts.ts";
import type { Mishap } from "../delivery/http1/mishap.ts";
import { proxyMishaps } from "../delivery/http1/proxy-mishaps.ts";
import { receiverMishaps } from "../delivery/http1/receiver-mishaps.ts";
import { startBareServer } from "./bare-server.ts";
import type { Certificates } from "./certificates.ts";
import { until } from "./until.ts";

const uncaught: string[] = [];
process.on("uncaughtException", (error) => uncaught.push(`exception: ${String(error)}`));
process.on("unhandledRejection", (error) => uncaught.push(`rejection: ${String(error)}`));

const { ca, server: pair } = JSON.parse(process.argv[2] ?? "") as Certificates;
const names = fixedResolver({ "a.test": ["127.0.0.1"] });

function describe(outcome: Outcome): string {
  if ("status" in outcome) return `${outcome.kind} ${outcome.status}`;
  // TLS has other codes on each runtime.
  return "code" in outcome && outcome.kind !== "tls" ? `${outcome.kind} ${outcome.code}` : outcome.kind;
}

async function live(mishap: Mishap): Promise<unknown> {
  const { onOpen, onData, abortAt, bodyBytes, attempts = 1, timeoutMs = 5_000 } = mishap;
  let controller = new AbortController();
  let isAborted = false;
  const server = await startBareServer({
    ...(mishap.secure === true ? { tls: pair } : {}),
    ...(onOpen === undefined ? {} : { onOpen }),
    onData: (socket, soFar, n) => {
      onData?.(socket, soFar, n);
      if (isAborted || abortAt === undefined || !soFar.includes(abortAt)) return;
      isAborted = true;
      controller.abort();
    },
  });
  const proxy = mishap.proxied === true ? { proxy: `http://127.0.0.1:${server.port}` } : {};
  const transport = transportOver(createHttp1Exchange(), names, proxy);
  const endpoint = httpEndpoint(`${mishap.https === true ? "https" : "http"}://a.test:${server.port}/`, {
    tls: trusting(ca),
  });
  const body = bodyBytes === undefined ? "{}" : "x".repeat(bodyBytes);
  const outcomes: string[] = [];
  for (let n = 0; n < attempts; n++) {
    controller = new AbortController();
    outcomes.push(
      describe(await attempt(transport, endpoint, { body, timeoutMs, signal: controller.signal })),
    );
  }
  const { connections } = server;
  const isClosed = await until(() => server.openConnections === 0, { timeoutMs: 3_000 }).catch(() => false);
  await transport.close();
  await server.close();
  return { outcomes, connections, isClosed };
}

const results: Record<string, unknown> = {};
for (const mishap of [...receiverMishaps, ...proxyMishaps]) results[mishap.what] = await live(mishap);
// What comes late has come by now: rejections and errors follow their sockets' end by less than this.
await new Promise((resolve) => setTimeout(resolve, 50));
process.stdout.write(`${JSON.stringify({ results, uncaught })}\n`);

/**
 * A program of its own, for test/delivery/deno.test.ts: runs under Deno, sends one attempt to every kind
 * of receiver, and prints `{name: outcome}` as one JSON line.
 */
import process from "node:process";
import { systemClock } from "../../src/clock.ts";
import { createDeadlines } from "../../src/delivery/deadline.ts";
import { createHttp1Exchange } from "../../src/delivery/http1/exchange.ts";
import { createLambdaTransport } from "../../src/delivery/lambda.ts";
import type { Outcome } from "../../src/delivery/outcome.ts";
import { isBun } from "../../src/runtime.ts";
import { attempt, fixedResolver, httpEndpoint, transportOver, trusting } from "../delivery/attempts.ts";
import { certificates } from "./certificates.ts";
import { startProxy } from "./proxy.ts";
import { answer, type Behaviour, cut, hang, raw, redirect, startReceiver } from "./receiver.ts";

const names = fixedResolver({ "a.test": ["127.0.0.2", "127.0.0.1"], "wrong.test": ["127.0.0.1"] });
const http = transportOver(createHttp1Exchange(), names);
const receiver = await startReceiver();
const secure = await startReceiver({ tls: certificates().server });
const results: Record<string, unknown> = { isBun };

const behaviours: Record<string, Behaviour> = {
  delivered: answer(200),
  status: answer(429, { headers: { "retry-after": "2" } }),
  redirect: redirect(302, "https://x.test/secret"),
  bodyAfter204: raw("HTTP/1.1 204 No\r\ncontent-length: 3\r\n\r\nabc", "keep"),
  reset: cut("reset"),
  protocol: raw("SSH-2.0\r\n\r\n"),
  halfBody: raw("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc"),
  endless: { do: "endless" },
  hangHead: hang("head"),
  hangBody: hang("body"),
};
for (const [name, behaviour] of Object.entries(behaviours)) {
  receiver.behave(behaviour);
  results[name] = await attempt(http, httpEndpoint(`http://a.test:${receiver.port}/`), { timeoutMs: 300 });
}

receiver.behave(answer(200));
const before = receiver.connections;
for (let i = 0; i < 10; i++) await attempt(http, httpEndpoint(receiver.url));
results["connectionsOfTen"] = receiver.connections - before;

const tls = (host: string) =>
  httpEndpoint(`https://${host}:${secure.port}/`, { tls: trusting(certificates().ca) });
results["tls"] = await attempt(http, tls("a.test"));
results["wrongName"] = await attempt(http, tls("wrong.test"));
results["untrusted"] = await attempt(http, httpEndpoint(`https://a.test:${secure.port}/`));
results["noName"] = await attempt(http, httpEndpoint("http://nowhere.test/"));
results["linkLocal"] = await attempt(http, httpEndpoint("http://169.254.169.254/"));
const host = secure.requests[0]?.headers["host"];
results["hostHeader"] = host === `a.test:${secure.port}`;

const proxy = await startProxy({ credentials: "u:p" });
const proxied = transportOver(createHttp1Exchange(), names, { proxy: `http://u:p@127.0.0.1:${proxy.port}` });
results["proxyPlain"] = await attempt(proxied, httpEndpoint(`http://a.test:${receiver.port}/`));
results["proxyTls"] = await attempt(proxied, tls("a.test"));

const api = await startReceiver({ behaviour: answer(202, { body: "" }) });
const keys = { accessKeyId: "a", secretAccessKey: "b" };
const lambda: Outcome = await attempt(
  createLambdaTransport({ clock: systemClock, deadlines: createDeadlines(systemClock) }),
  httpEndpoint("http://unused.test/", {
    target: {
      kind: "lambda",
      functionName: "f",
      region: "eu-west-1",
      async: true,
      clientOptions: { ...keys, endpoint: api.url },
    },
  }),
);
results["lambda"] = lambda;

process.stdout.write(`${JSON.stringify(results)}\n`, () => process.exit(0));

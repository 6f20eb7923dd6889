/**
 * A program of its own, for test/delivery/http1: one attempt at each URL in turn, prints the outcomes as one JSON
 * line, closes its transport, and ends by itself when that has left nothing open.
 *
 * usage: http1-attempts CA_FILE PROXY_OR_EMPTY URL...
 */
import { readFileSync } from "node:fs";
import process from "node:process";
import { createHttp1Exchange } from "../../src/delivery/http1/exchange.ts";
import type { Outcome } from "../../src/delivery/outcome.ts";
import { attempt, fixedResolver, httpEndpoint, transportOver, trusting } from "../delivery/attempts.ts";

const [caFile = "", proxy = "", ...urls] = process.argv.slice(2);
const names = fixedResolver({ "a.test": ["127.0.0.1"], localhost: ["127.0.0.1"] });
const transport = transportOver(createHttp1Exchange(), names, proxy === "" ? {} : { proxy });
const tls = trusting(readFileSync(caFile, "utf8"));
const outcomes: Outcome[] = [];
for (const url of urls) outcomes.push(await attempt(transport, httpEndpoint(url, { tls })));
process.stdout.write(`${JSON.stringify(outcomes)}\n`);
await transport.close();

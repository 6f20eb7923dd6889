/**
 * The bare loop that everything is compared with: sign and POST, so many in flight, nothing else.
 *
 * Environment: RECEIVER (its URL), WORKLOAD (plain or mixed), JOBS, CONCURRENCY; RATE: jobs a second, each with the time of
 * its beginning in it, instead of as fast as it goes.
 */
import { createHmac, randomUUID } from "node:crypto";
import {
  appKey,
  appSecret,
  createWorkload,
  plainPayload,
  standardSecret,
  type Workload,
} from "./workload.ts";

const { RECEIVER = "", WORKLOAD = "plain", JOBS = "0", CONCURRENCY = "64", RATE } = process.env;
const workload = createWorkload(WORKLOAD as Workload["name"], RECEIVER);
const standardKey = Buffer.from(standardSecret.slice("whsec_".length), "base64");
const target = `${RECEIVER}/hook`;

function headersOf(app: number, body: string): Record<string, string> {
  const headers: Record<string, string> = {
    "content-type": "application/json",
    "x-pusher-key": appKey(app),
    "x-pusher-signature": createHmac("sha256", appSecret).update(body).digest("hex"),
  };
  if (workload.isSignedTwice) {
    const id = randomUUID();
    const seconds = Math.floor(Date.now() / 1_000);
    headers["webhook-id"] = id;
    headers["webhook-timestamp"] = String(seconds);
    headers["webhook-signature"] =
      `v1,${createHmac("sha256", standardKey).update(`${id}.${seconds}.${body}`).digest("base64")}`;
  }
  return headers;
}

async function post(app: number, body: string): Promise<void> {
  const headers = headersOf(app, body);
  const response = await fetch(target, { method: "POST", body, headers, redirect: "manual" });
  await response.arrayBuffer();
}

const jobs = Number(JOBS);
if (RATE === undefined) {
  /** The posts that come of the jobs, one after the other. */
  const posts = (function* () {
    for (let n = 0; n < jobs; n += 1) {
      const { app, payload, deliveries } = workload.job(n);
      for (let sent = 0; sent < deliveries; sent += 1) yield { app, payload };
    }
  })();
  const loop = async (): Promise<void> => {
    for (const { app, payload } of posts) await post(app, payload);
  };
  await Promise.all(Array.from({ length: Number(CONCURRENCY) }, loop));
} else {
  const started = performance.now();
  const all: Promise<void>[] = [];
  while (all.length < jobs) {
    const due = Math.min(jobs, Math.floor(((performance.now() - started) * Number(RATE)) / 1_000));
    while (all.length < due)
      all.push(post(0, plainPayload((performance.timeOrigin + performance.now()).toFixed(3))));
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(all);
}
// Stays, so that its memory and CPU time can be read.
setInterval(() => undefined, 1_000);

// A BullMQ worker that POSTs each job's payload signed: on Node with undici, on Bun with its own fetch.
import { createHmac } from "node:crypto";
import { Worker } from "bullmq";

const { REDIS_PORT, TARGET, SECRET, CONCURRENCY } = process.env;

async function sender() {
  if (process.versions.bun) {
    return async (body, headers) => {
      const response = await fetch(TARGET, { method: "POST", body, headers });
      await response.arrayBuffer();
      return response.status;
    };
  }
  const { Pool } = await import("undici");
  const url = new URL(TARGET);
  const pool = new Pool(url.origin, { connections: Number(CONCURRENCY) });
  return async (body, headers) => {
    const response = await pool.request({ method: "POST", path: url.pathname, body, headers });
    await response.body.dump();
    return response.statusCode;
  };
}

const send = await sender();
const worker = new Worker(
  "webhooks",
  async (job) => {
    const body = job.data.payload;
    const status = await send(body, {
      "content-type": "application/json",
      "x-pusher-key": "app-key",
      "x-pusher-signature": createHmac("sha256", SECRET).update(body).digest("hex"),
    });
    if (status >= 300) throw new Error(`status ${status}`);
  },
  {
    connection: { host: "127.0.0.1", port: Number(REDIS_PORT) },
    concurrency: Number(CONCURRENCY),
    removeOnComplete: { count: 0 },
  },
);
worker.on("error", () => undefined);
process.on("SIGTERM", () => {
  void worker.close().then(() => process.exit(0));
});

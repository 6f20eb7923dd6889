/** What enqueues over HTTP are compared with: a bare Hono app that parses the JSON and makes one RPUSH a request. */
import { Hono } from "hono";
import { Redis } from "ioredis";

const redis = new Redis({ host: "127.0.0.1", port: Number(process.env["REDIS_PORT"]) });
const app = new Hono();
app.post("/*", async (context) => {
  const job: unknown = await context.req.json();
  await redis.rpush("bare", JSON.stringify(job));
  return context.json({ status: "enqueued" }, 202);
});
Bun.serve({ hostname: "127.0.0.1", port: Number(process.env["PORT"]), fetch: app.fetch });

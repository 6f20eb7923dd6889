import { createHash } from "node:crypto";

/**
 * An instant stub of the SQS protocol, a process of its own: `bun scripts/bench/sqs-stub.ts MESSAGES`.
 *
 * Every receive is answered at once from memory, with as many messages as it asks for, until so many have been
 * handed out; then receives wait. Nothing is redelivered. It costs as little as an HTTP server can, so that
 * what is measured is the consumer.
 *
 * Prints its endpoint as JSON. `GET /stats` answers the counts, `POST /start` with {messages} starts a run.
 */
let left = Number(process.argv[2] ?? 0);
let handedOut = 0;
let deleted = 0;
let requests = 0;
let byAction: Record<string, number> = {};

const body = JSON.stringify({
  app_key: "app-key",
  app_id: "app-1",
  payload: { time_ms: 1_795_289_744_618, events: [{ name: "channel_occupied", channel: "public-news" }] },
  original_signature: "app-1:public-news:channel_occupied",
});
const md5 = createHash("md5").update(body).digest("hex");
const bodyJson = JSON.stringify(body);
const now = String(Date.now());

function message(n: number): string {
  const id = `00000000-0000-4000-8000-${n.toString().padStart(12, "0")}`;
  return `{"MessageId":"${id}","ReceiptHandle":"${"h".repeat(200)}${n}","MD5OfBody":"${md5}","Body":${bodyJson},"Attributes":{"SentTimestamp":"${now}","ApproximateReceiveCount":"1","ApproximateFirstReceiveTimestamp":"${now}"}}`;
}

const json = { headers: { "content-type": "application/x-amz-json-1.0" } };
let wakeUp: (() => void)[] = [];

async function receive(
  input: { MaxNumberOfMessages?: number; WaitTimeSeconds?: number },
  signal: AbortSignal,
): Promise<Response> {
  if (left === 0 && (input.WaitTimeSeconds ?? 0) > 0) {
    const wait = Promise.withResolvers<void>();
    const timer = setTimeout(wait.resolve, (input.WaitTimeSeconds ?? 0) * 1000);
    wakeUp.push(wait.resolve);
    await wait.promise;
    clearTimeout(timer);
    // A consumer that was killed while it waited must not take messages along.
    if (signal.aborted) return new Response("{}", json);
  }
  const count = Math.min(left, input.MaxNumberOfMessages ?? 1);
  left -= count;
  const messages: string[] = [];
  for (let i = 0; i < count; i += 1) messages.push(message((handedOut += 1)));
  return new Response(`{"Messages":[${messages.join(",")}]}`, json);
}

const results = (entries: { Id: string }[]): Response =>
  new Response(
    `{"Successful":[${entries.map((entry) => `{"Id":"${entry.Id}"}`).join(",")}],"Failed":[]}`,
    json,
  );

const queueUrl = (): string => `http://127.0.0.1:${server.port}/123456789012/bench`;

const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  idleTimeout: 60,
  async fetch(request) {
    const action = request.headers.get("x-amz-target")?.slice("AmazonSQS.".length);
    if (action === undefined) {
      if (request.method === "POST") {
        ({ messages: left } = (await request.json()) as { messages: number });
        handedOut = deleted = requests = 0;
        byAction = {};
        for (const wake of wakeUp) wake();
        wakeUp = [];
      }
      return Response.json({ left, handedOut, deleted, requests, byAction });
    }
    requests += 1;
    byAction[action] = (byAction[action] ?? 0) + 1;
    const input = (await request.json()) as Record<string, unknown>;
    switch (action) {
      case "ReceiveMessage":
        return receive(input, request.signal);
      case "DeleteMessage":
        // hookline's permission probe is no message.
        if (String(input["ReceiptHandle"]).startsWith("h")) deleted += 1;
        return new Response("{}", json);
      case "DeleteMessageBatch": {
        const entries = input["Entries"] as { Id: string }[];
        deleted += entries.length;
        return results(entries);
      }
      case "ChangeMessageVisibilityBatch":
        return results(input["Entries"] as { Id: string }[]);
      case "GetQueueAttributes":
        return Response.json(
          {
            Attributes: {
              QueueArn: "arn:aws:sqs:us-east-1:123456789012:bench",
              MessageRetentionPeriod: "1209600",
            },
          },
          json,
        );
      case "GetQueueUrl":
      case "CreateQueue":
        return Response.json({ QueueUrl: queueUrl() }, json);
      default:
        return new Response("{}", json);
    }
  },
});
console.log(JSON.stringify({ endpoint: `http://127.0.0.1:${server.port}` }));

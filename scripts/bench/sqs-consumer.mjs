/**
 * The consumer to compare with, on Bun or Node: sqs-consumer, a signed POST for every message, batches of ten
 * received, handled together and deleted together. Its in-flight count is ten for each consumer.
 *
 * Environment: ENDPOINT, RECEIVER, CONSUMERS.
 */
import { createHmac } from "node:crypto";
import { SQSClient } from "@aws-sdk/client-sqs";
import { Consumer } from "sqs-consumer";

const { ENDPOINT, RECEIVER, CONSUMERS } = process.env;
const sqs = new SQSClient({
  region: "us-east-1",
  endpoint: ENDPOINT,
  credentials: { accessKeyId: "bench", secretAccessKey: "bench" },
});

async function deliver(message) {
  const job = JSON.parse(message.Body);
  const body = JSON.stringify(job.payload);
  const response = await fetch(RECEIVER, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "x-pusher-key": job.app_key,
      "x-pusher-signature": createHmac("sha256", "app-secret").update(body).digest("hex"),
    },
    body,
  });
  await response.arrayBuffer();
  return response.ok;
}

for (let n = 0; n < Number(CONSUMERS); n += 1) {
  const consumer = Consumer.create({
    sqs,
    queueUrl: `${ENDPOINT}/123456789012/bench`,
    batchSize: 10,
    waitTimeSeconds: 5,
    async handleMessageBatch(messages) {
      const delivered = await Promise.all(messages.map(deliver));
      return messages.filter((_, index) => delivered[index]);
    },
  });
  consumer.on("error", (error) => {
    console.error(error);
    process.exit(1);
  });
  consumer.start();
}

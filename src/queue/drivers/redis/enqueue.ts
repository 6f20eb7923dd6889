import type { Redis } from "ioredis";
import { DriverUnavailableError, PayloadTooLargeError, UnsupportedByDriverError } from "../../../errors.ts";
import { bodyBytes } from "../../../jobs/body.ts";
import type { EnqueueResult, NewJob } from "../../driver.ts";
import { evaluate, replyText } from "./evaluate.ts";
import type { ScriptArgument } from "./evaluate.ts";
import { dedupName } from "./keys.ts";
import { chunk, maxDelayMs, maxPayloadBytes } from "./limits.ts";
import { randomName } from "./lease-call.ts";
import type { RedisDriverOptions } from "./options.ts";
import type { QueueLink } from "./queue-link.ts";
import { bodyArgument } from "./record.ts";
import { enqueueScript } from "./enqueue-script.ts";

interface Entry {
  readonly index: number;
  readonly job: NewJob;
  readonly bytes: number;
}

/**
 * Writes jobs of one queue; the driver's `enqueue`.
 *
 * One script call writes up to 500 of them; calls follow one another, so that order is kept. When a call
 * fails, or a part of it, the jobs that it did not write and those of the calls after it come back as failed; when nothing
 * was written at all, the error is thrown.
 */
export async function enqueueJobs(
  link: QueueLink,
  options: RedisDriverOptions,
  jobs: readonly NewJob[],
): Promise<EnqueueResult[]> {
  const results: EnqueueResult[] = [];
  const entries: Entry[] = [];
  for (const [index, job] of jobs.entries()) {
    const bytes = bodyBytes(job.body);
    const refusal = refuse(job, bytes);
    if (refusal !== null) results[index] = { status: "failed", id: job.id, error: refusal };
    else entries.push({ index, job, bytes });
  }
  let answered = false;
  let failure: Error | null = null;
  for (const entriesOfCall of chunk(entries, ({ bytes }) => bytes)) {
    if (failure === null) {
      try {
        const { answers, fault } = await writeChunk(link, options, entriesOfCall);
        failure = fault;
        for (const [position, { index, job }] of entriesOfCall.entries()) {
          const result = readResult(answers[position] ?? "", job.id, fault);
          if (result.status !== "failed") answered = true;
          results[index] = result;
        }
        continue;
      } catch (error) {
        if (!(error instanceof Error)) throw error;
        failure = error;
      }
    }
    for (const { index, job } of entriesOfCall)
      results[index] = { status: "failed", id: job.id, error: failure };
  }
  if (failure !== null && !answered) throw failure;
  return results;
}

function refuse(job: NewJob, bytes: number): Error | null {
  if (bytes > maxPayloadBytes) {
    return new PayloadTooLargeError(`the job has ${bytes} bytes; on redis a job may have ${maxPayloadBytes}`);
  }
  if (job.group !== null) {
    return new UnsupportedByDriverError("group: jobs are kept in order by group on SQS FIFO queues only");
  }
  if (job.delayMs > maxDelayMs) {
    return new UnsupportedByDriverError(`delay_ms: on redis a delay may be ${maxDelayMs} ms at most`);
  }
  return null;
}

async function writeChunk(
  link: QueueLink,
  options: RedisDriverOptions,
  entries: readonly Entry[],
): Promise<{ answers: string[]; fault: Error | null }> {
  const args: ScriptArgument[] = [`${randomName()}-e`, options.deduplicationTtlMs];
  for (const { job } of entries) {
    const foreign = options.encodeForSockudo?.(job) ?? null;
    args.push(foreign === null ? "own" : "ready", job.id, Math.max(0, Math.round(job.delayMs)));
    args.push(job.dedup === null ? "" : dedupName(job.dedup.key), job.dedup?.fingerprint ?? "");
    // A delayed job waits as a record wherever it goes, so it keeps hookline's own form.
    args.push(foreign === null || job.delayMs > 0 ? bodyArgument(job.body) : foreign);
  }
  const { all } = link.keys;
  const reply = await link.run("enqueueing", async (server) => {
    if (options.waitReplicas === 0) return evaluate(await server.commands(), enqueueScript, all, args);
    const redis = await server.replicated();
    const answer = await evaluate(redis, enqueueScript, all, args);
    await waitForReplicas(redis, options);
    return answer;
  });
  const { values, fault } = link.read("enqueueing", reply);
  return { answers: values.slice(1).map((text) => replyText(text)), fault };
}

/** Fails when fewer replicas than asked for have what this connection wrote; the job is on the master then. */
async function waitForReplicas(redis: Redis, options: RedisDriverOptions): Promise<void> {
  const timeoutMs = Math.max(1, Math.round(options.requestTimeoutMs * 0.8));
  const have = await redis.wait(options.waitReplicas, timeoutMs);
  if (have >= options.waitReplicas) return;
  throw new DriverUnavailableError(
    `redis: written, but only ${have} of ${options.waitReplicas} replicas (wait_replicas) confirmed it in ${timeoutMs} ms`,
    { refusal: "NOREPLICAS" },
  );
}

/** "" enqueued, "d" + id duplicate, "c" + id conflict, "x" not written. */
function readResult(answer: string, id: string, fault: Error | null): EnqueueResult {
  if (answer === "x" && fault !== null) return { status: "failed", id, error: fault };
  if (answer === "") return { status: "enqueued", id };
  return { status: answer.startsWith("d") ? "duplicate" : "conflict", id: answer.slice(1) };
}

import { randomUUID } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfig } from "../../../src/config/load.ts";
import { createAnswerReader } from "../../../src/delivery/http1/answer-reader.ts";
import { ConfigError } from "../../../src/errors.ts";
import { decodeJob } from "../../../src/jobs/decode.ts";
import { readEventsRequest } from "../../../src/jobs/events.ts";
import { readJobs } from "../../../src/jobs/intake.ts";
import { beginRecord, endRecord, readRecord, types } from "../../../src/queue/drivers/file/record.ts";
import { createPen } from "../../../src/queue/drivers/file/pen.ts";
import { readDeadLetter } from "../../../src/queue/drivers/redis/dead-record.ts";
import { readRecord as readRedisRecord } from "../../../src/queue/drivers/redis/record.ts";
import { readMessage } from "../../../src/queue/drivers/sqs/message.ts";
import { startAdmin } from "../../../test/admin/start-admin.ts";
import { app } from "../app.ts";
import type { Random } from "../random.ts";
import { answers, configurations, eventRequests, jobs, paths } from "./corpus.ts";
import { mutateBytes, mutateText } from "./mutate.ts";

/** What takes input from outside, and what it promises for any. */
export interface FuzzTarget {
  readonly name: string;
  /** How many of a hundred inputs it gets. */
  readonly share: number;
  /** Makes an input and tries it; throws, or names what was not kept. Null: all is well. */
  tryOne(random: Random): string | null | Promise<string | null>;
  close?(): Promise<void>;
}

const known = {
  ...app,
  previousSecrets: [],
  accept: new Set(["soketi", "sockudo", "native"] as const),
};
const capabilities = { dedup: true, ordersGroups: false, maxDelayMs: 1e9, maxPayloadBytes: 1e6 };

const messages: FuzzTarget = {
  name: "messages of Redis and SQS",
  share: 30,
  tryOne(random) {
    const text = mutateText(random.pick(jobs), jobs, random);
    const format = random.chance(0.1) ? "raw" : "auto";
    const body = random.chance(0.2) ? new Uint8Array(mutateBytes(Buffer.from(text), random)) : text;
    const { kind } = decodeJob(body, { format });
    return typeof kind === "string" ? null : "a job without a kind";
  },
};

const requests: FuzzTarget = {
  name: "jobs over the API",
  share: 20,
  tryOne(random) {
    const intake = readJobs(mutateText(random.pick(jobs), jobs, random), {
      queue: "webhooks",
      format: "auto",
      apps: { findApp: (id, key) => (id === app.id || key === app.key ? known : null) },
      capabilities,
      idempotencyKey: null,
      now: 1_700_000_000_000,
    });
    if (!intake.ok) return null;
    for (const item of intake.items) {
      if (!item.ok) continue;
      // What was taken in must be readable when it is leased, and holds no secret of the app.
      if (decodeJob(item.job.body, { format: "auto" }).kind === "malformed")
        return "taken in, and malformed when leased";
      // Inside its payload the producer's own words stay as they are.
      if (Object.hasOwn(JSON.parse(String(item.job.body)) as object, "app_secret"))
        return "app_secret is stored";
    }
    return null;
  },
};

const eventBodies: FuzzTarget = {
  name: "events over the API",
  share: 10,
  tryOne(random) {
    const text = mutateText(random.pick(eventRequests), [...eventRequests, ...jobs], random);
    const read = readEventsRequest(text);
    if (!read.ok) return read.errors.length > 0 ? null : "refused without a reason";
    return read.events.every((event) => text.includes(event.text))
      ? null
      : "an event's text is not as it was sent";
  },
};

/** What a reader makes of bytes that come in such parts; "error" where it refuses them. */
function readAnswers(bytes: Buffer, partBytes: number): string {
  const reader = createAnswerReader();
  try {
    for (let at = 0; at < bytes.length; at += partBytes) {
      const answer = reader.take(bytes.subarray(at, at + partBytes));
      if (answer !== null) return `${answer.status} ${answer.retryAfter} ${answer.location}`;
    }
    const last = reader.end();
    return last === null ? "nothing" : `${last.status} ${last.retryAfter} ${last.location}`;
  } catch (error) {
    if ((error as { code?: string }).code?.startsWith("ERR_HTTP") === true) return "error";
    throw error;
  }
}

const receiverAnswers: FuzzTarget = {
  name: "answers of receivers",
  share: 20,
  tryOne(random) {
    const bytes = Buffer.from(mutateText(random.pick(answers), answers, random), "latin1");
    const [whole, pieces] = [readAnswers(bytes, 1e9), readAnswers(bytes, random.whole(1, 9))];
    return whole === pieces ? null : `read as "${whole}" at once and as "${pieces}" in pieces`;
  },
};

const redisRecords: FuzzTarget = {
  name: "records in Redis",
  share: 8,
  tryOne(random) {
    const record = `u-1 3 1700000000000 j-1\n${random.pick(jobs)}`;
    const dead = `1700000000000 3 1700000000000 j-1 {"reason":"x","detail":null,"endpoint":"a/b"}\n${random.pick(jobs)}`;
    const read = readRedisRecord(mutateBytes(Buffer.from(record), random), "fallback");
    const letter = readDeadLetter("name", mutateBytes(Buffer.from(dead), random));
    return read.id !== "" && letter.reason !== ""
      ? null
      : "a record without an id, or a letter without a reason";
  },
};

const sqsMessages: FuzzTarget = {
  name: "attributes of SQS messages",
  share: 4,
  tryOne(random) {
    const meta = `{"id":"j-1","encoding":"base64","enqueuedAt":1,"dead":{"reason":"x","queue":"q","attempts":3}}`;
    const message = {
      MessageId: mutateText("message-1", jobs, random),
      ReceiptHandle: "h",
      Body: mutateText(random.pick(jobs), jobs, random),
      Attributes: {
        SentTimestamp: mutateText("1700000000000", ["-1"], random),
        ApproximateReceiveCount: "x",
      },
      MessageAttributes: {
        hookline: { DataType: "String", StringValue: mutateText(meta, jobs, random) },
      },
    };
    const held = readMessage(message, 0, 1_000);
    return held.receiveCount >= 0 ? null : "a receive count below 0";
  },
};

const fileRecords: FuzzTarget = {
  name: "records of the file driver",
  share: 5,
  tryOne(random) {
    const pen = createPen(65_536);
    const at = beginRecord(pen, types.job, 0, 1, 7);
    for (const character of random.pick(jobs)) pen.u8(character.charCodeAt(0) & 0xff);
    endRecord(pen, at, 42);
    const bytes = Buffer.from(pen.view(0));
    const changed = mutateBytes(bytes, random);
    const read = readRecord(changed, 0, changed.length, 42);
    const isSame = changed.length >= bytes.length && changed.subarray(0, bytes.length).equals(bytes);
    return typeof read === "string" || isSame ? null : "a damaged record is accepted";
  },
};

const settings: FuzzTarget = {
  name: "configurations",
  share: 2,
  async tryOne(random) {
    const file = join(tmpdir(), `hookline-fuzz-${randomUUID()}.json`);
    writeFileSync(file, mutateText(random.pick(configurations), configurations, random));
    try {
      await loadConfig({ args: { config: file, sets: [], queues: [] }, env: {}, cwd: tmpdir() });
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      if (error.issues.length === 0) return "refused without an issue";
    } finally {
      rmSync(file, { force: true });
    }
    return null;
  },
};

/** The API on a real socket: every answer must be one of its own, none a 500. */
async function apiTarget(): Promise<FuzzTarget> {
  const admin = await startAdmin();
  return {
    name: "requests to the API",
    share: 1,
    async tryOne(random) {
      const path = mutateText(random.pick(paths), paths, random).replace(/[^\x21-\x7e]/g, "%20");
      const method = random.pick(["GET", "POST", "POST", "DELETE", "PUT", "PATCH"]);
      const body = mutateText(random.pick([...jobs, ...eventRequests]), jobs, random);
      const response = await admin.request(path.startsWith("/") ? path : `/${path}`, {
        method,
        ...(method === "GET" ? {} : { body }),
      });
      await response.arrayBuffer();
      return response.status === 500 ? `${method} ${path} is answered 500` : null;
    },
    close: () => admin.stop(),
  };
}

export async function fuzzTargets(): Promise<FuzzTarget[]> {
  return [
    messages,
    requests,
    eventBodies,
    receiverAnswers,
    redisRecords,
    sqsMessages,
    fileRecords,
    settings,
    await apiTarget(),
  ];
}

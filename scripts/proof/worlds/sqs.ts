import { createSqsModel } from "../../../test/support/sqs-model.ts";
import type { SqsModel } from "../../../test/support/sqs-model.ts";
import { changedConfig, concurrency, configFor } from "../app.ts";
import type { Book } from "../book.ts";
import { calmReceivers, layGround, readDead } from "../common-world.ts";
import { networkFaults } from "../faults/network.ts";
import { processFaults } from "../faults/process.ts";
import { receiverFaults } from "../faults/receiver.ts";
import { sqsFaults } from "../faults/sqs.ts";
import { createMember } from "../member.ts";
import { httpDoor, sockudoJob } from "../producers.ts";
import type { Door } from "../producers.ts";
import type { Random } from "../random.ts";
import { openTcpPath } from "../tcp-path.ts";
import { now } from "../weather.ts";
import type { ProofDead, World } from "../world.ts";

const account = "123456789012";
const visibilitySeconds = 3;

/** The model of SQS over HTTP, and processes that each reach it by a way of their own. */
export async function createSqsWorld(random: Random, isFifo: boolean, processes = 2): Promise<World> {
  const ground = await layGround(processes);
  const { book, receivers } = ground;
  const model = createSqsModel();
  const name = isFifo ? "webhooks.fifo" : "webhooks";
  for (const each of [name, name.replace("webhooks", "webhooks-dead")]) {
    model.create(each, {
      MessageRetentionPeriod: "1209600",
      ...(isFifo
        ? {
            FifoQueue: "true",
            ContentBasedDeduplication: "true",
            DeduplicationScope: "messageGroup",
            FifoThroughputLimit: "perMessageGroupId",
          }
        : {}),
    });
  }
  const paths = await Promise.all(Array.from({ length: processes }, () => openTcpPath(model.port)));
  const variants = new Map<number, number>();
  const members = paths.map((path, index) =>
    createMember(`${isFifo ? "sqs-fifo" : "sqs"} process ${index}`, () => {
      const endpoint = `http://127.0.0.1:${path.port}`;
      const sqs = {
        endpoint_url: endpoint,
        queue_url_prefix: `${endpoint}/${account}/`,
        client_options: { accessKeyId: "proof", secretAccessKey: "proof" },
        wait_time_seconds: 1,
        visibility_timeout: visibilitySeconds,
        concurrency,
        ...(isFifo ? { fifo: true, message_group_id: "{group}" } : {}),
      };
      return changedConfig(configFor(receivers, { driver: "sqs", sqs }), variants.get(index) ?? 0);
    }),
  );
  return {
    name: isFifo ? "sqs-fifo" : "sqs",
    book,
    members,
    receivers,
    inFlight: ground.inFlight,
    groups: isFifo ? 4 : 0,
    // Each process counts for itself (README, "SQS").
    countsAttemptsForAll: false,
    doors: [
      // A standard queue takes what is sent twice twice.
      httpDoor(book, members, random, { isGrouped: isFifo, sendsAgain: isFifo }),
      sendDoor(book, model, name, isFifo),
    ],
    kinds: [
      ...processFaults(members, {
        change(member, variant) {
          variants.set(member, variant);
          members[member]?.configure();
        },
      }),
      ...networkFaults(paths),
      ...sqsFaults(model),
      ...receiverFaults(receivers),
    ],
    async clear() {
      calmReceivers(receivers);
      for (const path of paths) path.set({ state: "open" });
      await Promise.all(members.map((member) => member.start()));
    },
    queued: () => Promise.resolve(model.queues.get(name)?.messages.size ?? 0),
    dead: () => Promise.resolve(deadIn(model)),
    // HTTP keeps some open for a while.
    moreConnections: 32,
    connections: () => paths.reduce((sum, path) => sum + path.open, 0),
    async close() {
      model.endPolls();
      await Promise.all(members.map((member) => member.close()));
      await Promise.all(paths.map((path) => path.close()));
      await model.stop();
      await ground.close();
    },
  };
}

/** SendMessage as a producer with the SDK does it; the model confirms at once. */
function sendDoor(book: Book, model: SqsModel, name: string, isFifo: boolean): Door {
  return {
    name: "send",
    send(jobs) {
      for (const job of jobs) {
        model.queues.get(name)?.send({
          body: sockudoJob(job),
          attributes: {},
          group: isFifo ? job.group : null,
          deduplicationId: isFifo ? `s-${job.n}` : null,
          delaySeconds: null,
        });
        book.confirm(job, now());
      }
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
  };
}

function deadIn(model: SqsModel): ProofDead[] {
  const dead = [...model.queues.values()].find(({ name }) => name.startsWith("webhooks-dead"));
  return [...(dead?.messages.values() ?? [])].flatMap(({ body, attributes }) => {
    const meta = JSON.parse(attributes["hookline"]?.StringValue ?? "{}") as {
      encoding?: string;
      dead?: { reason: string; endpoint?: string };
    };
    const text = meta.encoding === "base64" ? Buffer.from(body, "base64").toString() : body;
    return readDead(meta.dead?.reason ?? "", meta.dead?.endpoint, text);
  });
}

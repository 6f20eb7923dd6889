import type { ConfigIssue } from "../../../errors.ts";
import {
  deadName,
  isFifoName,
  parseAddress,
  siblingUrl,
  withFifoSuffix,
  type QueueAddress,
} from "./address.ts";
import type { QueueRef, SqsApi } from "./api.ts";
import { checkAttributes, probePermissions } from "./checks.ts";
import { SqsCallError, unavailable } from "./errors.ts";
import { sqsMaxBytes, type SqsQueue } from "./queue.ts";
import type { SqsOptions } from "./options.ts";

/** What was found at start, and all that is wrong with it. */
export interface OpenedQueues {
  readonly queues: readonly SqsQueue[];
  readonly issues: readonly ConfigIssue[];
  /** Usable, but not as it should be: logged, and the driver is degraded. */
  readonly warnings: readonly { readonly queue: string; readonly message: string }[];
}

/** 14 days, the most SQS keeps a message. */
const longestRetentionSeconds = "1209600";

/** Address of a configured queue: its own, else the one for all, else prefix or name. Null: not readable. */
export function addressOf(
  queue: { readonly name: string; readonly url: string | null },
  options: Pick<SqsOptions, "queueUrl" | "queueUrlPrefix" | "fifo">,
): QueueAddress | null {
  const given = queue.url ?? options.queueUrl;
  if (given !== null) return parseAddress(given);
  const name = withFifoSuffix(queue.name, options.fifo);
  return parseAddress(options.queueUrlPrefix === null ? name : `${options.queueUrlPrefix}${name}`);
}

/** Finds every configured queue, and creates what is missing where that is allowed. Throws only when SQS does not answer. */
export async function openQueues(api: SqsApi, options: SqsOptions): Promise<OpenedQueues> {
  const issues: ConfigIssue[] = [];
  const warnings: { queue: string; message: string }[] = [];
  const complain = (path: string, message: string): void => void issues.push({ path, source: "", message });
  const warn = (queue: string, message: string): void => void warnings.push({ queue, message });
  const byUrl = new Map<string, { ref: QueueRef; created: boolean; logical: string[] }>();

  for (const wanted of options.queues) {
    const address = addressOf(wanted, options);
    const path =
      wanted.url !== null
        ? "queue.queues"
        : options.queueUrl === null
          ? "queue.queues"
          : "queue.sqs.queue_url";
    if (address === null) {
      complain(path, `queue ${wanted.name}: expected the URL or the ARN of an SQS queue`);
      continue;
    }
    if (address.region !== null && address.region !== options.region && options.endpointUrl === null) {
      complain(
        "queue.sqs.region",
        `queue ${wanted.name} is in ${address.region}, the region is ${options.region}: set it to ${address.region}`,
      );
      continue;
    }
    if (options.fifo && wanted.url === null && !isFifoName(address.name)) {
      complain(
        path,
        `${address.name} is not a FIFO queue: its name must end in .fifo, or queue.sqs.fifo be false`,
      );
      continue;
    }
    try {
      const found = await findOrCreate(api, address, options);
      const known = byUrl.get(found.ref.url);
      if (known !== undefined) known.logical.push(wanted.name);
      else byUrl.set(found.ref.url, { ...found, logical: [wanted.name] });
    } catch (error) {
      complain(path, blame(error));
    }
  }

  const queues: SqsQueue[] = [];
  for (const { ref, created, logical } of byUrl.values()) {
    try {
      // A queue just created may not be visible everywhere for a minute; what it has is what we gave it.
      const attributes = created ? creationAttributes(ref.name, options) : await api.attributes(ref);
      const { dead, attributes: deadAttributes } = await openDeadQueue(api, ref, attributes, options);
      const queue: SqsQueue = {
        ...ref,
        fifo: isFifoName(ref.name),
        logical,
        dead,
        maxBytes: Math.min(maxBytesOf(attributes), maxBytesOf(deadAttributes)),
        maxReceiveCount: redrivePolicy(attributes)?.maxReceiveCount ?? null,
      };
      queues.push(queue);
      checkAttributes(queue, attributes, options, { complain, warn });
      if (options.consume) await probePermissions(api, queue, complain);
    } catch (error) {
      complain("queue.sqs", blame(error));
    }
  }
  return { queues, issues, warnings };
}

/**
 * A queue as it stands, with its dead letter queue; nothing is created. For tools.
 *
 * @throws SqsCallError `no_queue` when either is missing.
 */
export async function describeQueue(api: SqsApi, ref: QueueRef): Promise<SqsQueue> {
  const attributes = await api.attributes(ref);
  const none = { autoCreate: false, visibilityTimeoutSeconds: 30 };
  const { dead, attributes: deadAttributes } = await openDeadQueue(api, ref, attributes, none);
  return {
    ...ref,
    fifo: isFifoName(ref.name),
    logical: [],
    dead,
    maxBytes: Math.min(maxBytesOf(attributes), maxBytesOf(deadAttributes)),
    maxReceiveCount: redrivePolicy(attributes)?.maxReceiveCount ?? null,
  };
}

/** What creating a queue needs to know. */
type CreateRules = Pick<SqsOptions, "autoCreate" | "visibilityTimeoutSeconds">;

/** The message of what an operator must change; anything that may pass is thrown on. */
function blame(error: unknown): string {
  if (!(error instanceof SqsCallError) || error.kind === "unavailable") throw error;
  return error.message;
}

async function findOrCreate(
  api: SqsApi,
  address: QueueAddress,
  options: CreateRules,
): Promise<{ ref: QueueRef; created: boolean }> {
  try {
    if (address.kind === "url") {
      await api.attributes(address, ["QueueArn"]);
      return { ref: { url: address.url, name: address.name }, created: false };
    }
    const url = await api.findUrl(address.name, address.owner);
    return { ref: { url, name: address.name }, created: false };
  } catch (error) {
    if (!(error instanceof SqsCallError) || error.kind !== "no_queue" || !options.autoCreate) throw error;
    if (address.kind === "name" && address.owner !== null) throw error;
  }
  const url = await api.create(address.name, creationAttributes(address.name, options));
  // The host may differ (emulators, legacy names); account and name must be what was configured.
  if (address.kind === "url" && new URL(address.url).pathname !== new URL(url).pathname) {
    throw new SqsCallError(
      "refused",
      "CreateQueue",
      "wrong_account",
      `queue ${address.name} did not exist at its configured URL, and was created in another account: correct the URL`,
    );
  }
  return { ref: { url: address.kind === "url" ? address.url : url, name: address.name }, created: true };
}

/**
 * Attributes of queues hookline creates. High throughput FIFO is what makes groups independent in SQS
 * itself; 14 days because what waits out a long outage must not be deleted by SQS.
 */
export function creationAttributes(
  name: string,
  options: Pick<SqsOptions, "visibilityTimeoutSeconds">,
): Record<string, string> {
  return {
    VisibilityTimeout: String(options.visibilityTimeoutSeconds),
    MessageRetentionPeriod: longestRetentionSeconds,
    ReceiveMessageWaitTimeSeconds: "20",
    ...(isFifoName(name)
      ? {
          FifoQueue: "true",
          ContentBasedDeduplication: "true",
          DeduplicationScope: "messageGroup",
          FifoThroughputLimit: "perMessageGroupId",
        }
      : {}),
  };
}

/** The RedrivePolicy's target where there is one, else `{queue}-dead`; created when it is missing. */
async function openDeadQueue(
  api: SqsApi,
  ref: QueueRef,
  attributes: Readonly<Record<string, string>>,
  options: CreateRules,
): Promise<{ dead: QueueRef; attributes: Readonly<Record<string, string>> }> {
  const policy = redrivePolicy(attributes);
  const target = policy === null ? null : parseAddress(policy.target);
  if (target !== null && target.kind === "name") {
    const dead = { url: await api.findUrl(target.name, target.owner), name: target.name };
    return { dead, attributes: await api.attributes(dead) };
  }
  const name = deadName(ref.name);
  const address: QueueAddress = { kind: "url", url: siblingUrl(ref.url, name), name, region: null };
  const { ref: dead, created } = await findOrCreate(api, address, options);
  return { dead, attributes: created ? creationAttributes(name, options) : await api.attributes(dead) };
}

function redrivePolicy(
  attributes: Readonly<Record<string, string>>,
): { target: string; maxReceiveCount: number } | null {
  const text = attributes["RedrivePolicy"];
  if (text === undefined || text === "") return null;
  const policy = JSON.parse(text) as { deadLetterTargetArn?: unknown; maxReceiveCount?: unknown };
  return { target: String(policy.deadLetterTargetArn), maxReceiveCount: Number(policy.maxReceiveCount) };
}

function maxBytesOf(attributes: Readonly<Record<string, string>>): number {
  return Math.min(sqsMaxBytes, Number(attributes["MaximumMessageSize"] ?? sqsMaxBytes));
}

/** Runs a step of opening: what an operator must change becomes an issue, what may pass is thrown as unavailable. */
export async function blaming<T>(issues: ConfigIssue[], run: () => Promise<T>): Promise<T | null> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof SqsCallError)) throw error;
    if (error.kind === "unavailable") throw unavailable(error);
    issues.push({ path: "queue.sqs", source: "", message: error.message });
    return null;
  }
}

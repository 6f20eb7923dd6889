import { actions, type ModelAccount } from "./sqs-model-actions.ts";
import { createModelClock, type ModelClock } from "./sqs-model-clock.ts";
import { errorResponse, SqsError } from "./sqs-model-errors.ts";
import { applyFaults, createFaults, type ModelFaults } from "./sqs-model-faults.ts";
import { createModelQueue, type ModelQueue } from "./sqs-model-queue.ts";

/**
 * A model of Amazon SQS over HTTP (AWS JSON 1.0), written from AWS's documented rules.
 *
 * Emulators differ from AWS where it matters here: one message of a FIFO group a receive, bogus handles
 * accepted. Each rule in the sqs-model files names its page of the developer guide
 * (docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide) or of the API reference. What AWS leaves
 * open (which messages a short poll sees, when a standard queue repeats one) is answered in the simplest way.
 * Signatures are not checked.
 */
export interface SqsModel {
  readonly port: number;
  /** `http://127.0.0.1:PORT`, for the SDK's endpoint. */
  readonly endpoint: string;
  readonly clock: ModelClock;
  readonly faults: ModelFaults;
  readonly queues: ReadonlyMap<string, ModelQueue>;
  /** Requests so far by action, those that failed included. */
  readonly requests: ReadonlyMap<string, number>;
  requestCount(): number;
  resetRequests(): void;
  /** Creates a queue without a request; `.fifo` names become FIFO. */
  create(name: string, attributes?: Record<string, string>): ModelQueue;
  /** Ends every long poll, so that a driver closes at once. */
  endPolls(): void;
  stop(): Promise<void>;
}

export interface SqsModelOptions {
  readonly port?: number;
  readonly inFlightQuota?: { readonly standard: number; readonly fifo: number };
}

export function createSqsModel(options: SqsModelOptions = {}): SqsModel {
  const clock = createModelClock();
  const faults = createFaults();
  const queues = new Map<string, ModelQueue>();
  const requests = new Map<string, number>();
  // Sequence numbers are 128 bits and grow (FIFO-key-terms.html).
  let sequence = 18_849_496_460_467_696_128n;
  const quota = options.inFlightQuota ?? { standard: 120_000, fifo: 20_000 };

  const account: ModelAccount = {
    clock,
    faults,
    queues,
    create(name, attributes) {
      const queue = createModelQueue({
        name,
        url: `${endpoint}/123456789012/${name}`,
        arn: `arn:aws:sqs:us-east-1:123456789012:${name}`,
        attributes: { ...attributes },
        clock,
        nextSequence: () => (sequence += 256n),
        inFlightQuota: name.endsWith(".fifo") ? quota.fifo : quota.standard,
        findByArn: (arn) => [...queues.values()].find((candidate) => candidate.arn === arn) ?? null,
      });
      queues.set(name, queue);
      return queue;
    },
  };
  clock.onAdvance(() => {
    for (const queue of queues.values()) queue.wake();
  });

  const answer = async (request: Request): Promise<Response> => {
    const action = (request.headers.get("x-amz-target") ?? "").replace(/^AmazonSQS\./, "");
    requests.set(action, (requests.get(action) ?? 0) + 1);
    const input = (await request.json()) as Record<string, unknown>;
    if (faults.latencyMs > 0) await new Promise((resolve) => setTimeout(resolve, faults.latencyMs));
    if (faults.gateway) return new Response("<html>Bad Gateway</html>", { status: 502 });
    try {
      applyFaults(faults, action, request.headers.get("authorization") ?? "");
      const run = actions[action];
      if (run === undefined)
        throw new SqsError("UnknownOperationException", `Unknown action ${action}`, "InvalidAction");
      const output = await run(account, input);
      if (faults.loseAnswer.delete(action))
        throw new SqsError("InternalFailure", "The answer was lost.", "InternalFailure", 500);
      return new Response(JSON.stringify(output), {
        headers: { "content-type": "application/x-amz-json-1.0" },
      });
    } catch (error) {
      if (error instanceof SqsError) return errorResponse(error);
      throw error;
    }
  };

  const server = Bun.serve({
    port: options.port ?? 0,
    hostname: "127.0.0.1",
    idleTimeout: 60,
    fetch: answer,
  });
  const endpoint = `http://127.0.0.1:${server.port}`;

  return {
    port: server.port as number,
    endpoint,
    clock,
    faults,
    queues,
    requests,
    requestCount: () => [...requests.values()].reduce((sum, count) => sum + count, 0),
    resetRequests: () => requests.clear(),
    create: (name, attributes = {}) => account.create(name, attributes),
    endPolls() {
      faults.noWaiting = true;
      for (const queue of queues.values()) queue.wake();
    },
    async stop() {
      await server.stop(true);
    },
  };
}

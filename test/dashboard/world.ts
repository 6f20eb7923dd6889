import { type Executable, startExecutable, token } from "../support/executable.ts";
import { answer, type Receiver, startReceiver } from "../support/receiver.ts";
import { secret } from "../support/secrets.ts";
import { until } from "../support/until.ts";

/** A token that may read, and nothing else. */
export const readToken = secret("read");
/** What a hostile receiver answers, and what a hostile producer sends. */
export const hostile = {
  answer:
    "<script>window.attacked = 1</script><img src=x onerror='window.attacked = 2'> upstream connect error",
  event: "<img src=x onerror='window.attacked=3'>",
  text: "javascript:window.attacked=4 \u202egnp.exe",
} as const;

/** Dead letters that the world has, in four groups. */
export const deadLetters = 5_000;

/** A hookline with trouble, and its receivers. */
export interface World extends AsyncDisposable {
  readonly server: Executable;
  readonly receiver: Receiver;
  /** The job whose payload is hostile. */
  readonly hostileJob: string;
}

/** The configuration of the world, for a receiver. */
export function worldConfig(receiver: string): object {
  const hook = (name: string, path: string, more: object = {}): object => ({
    name,
    url: `${receiver}/${path}`,
    event_types: ["*"],
    ...more,
  });
  const app = (id: string, webhooks: object[]): object => ({
    id,
    key: secret(`${id}key`),
    secret: secret(`${id}secret`),
    webhooks,
  });
  const once = { max_attempts: 1 };
  return {
    server: { token, tokens: [{ name: "reader", token: readToken, scope: "read" }] },
    queue: { driver: "memory", queues: ["webhooks", "mail", "bulk"], memory: { concurrency: 64 } },
    webhooks: { retry: { initial_backoff_ms: 60_000, max_backoff_ms: 120_000 } },
    apps: [
      app("shop", [
        hook("orders", "failing", { breaker: { min_attempts: 5, open_ms: 3_600_000 } }),
        hook("stock", "good"),
      ]),
      app("chat", [hook("presence", "good"), hook("archive", "slow", { concurrency: 2 })]),
      app("billing", [
        hook("invoices", "good"),
        hook("ledger", "refusing", { retry: once, breaker: { min_attempts: 1_000_000 } }),
      ]),
    ],
    endpoints: {
      gone: { url: `${receiver}/gone`, signing: "none" },
      missing: { url: `${receiver}/missing`, signing: "none" },
      retired: { url: `${receiver}/good`, signing: "none" },
      broken: {
        url: `${receiver}/failing`,
        signing: "none",
        retry: once,
        breaker: { min_attempts: 1_000_000 },
      },
      mailer: { url: `${receiver}/good`, signing: "none" },
    },
  };
}

/** Starts it with real traffic: a failing, a slow and a disabled endpoint, a paused queue, dead letters of four reasons. */
export async function startWorld(): Promise<World> {
  const receiver = await startReceiver({ record: false });
  receiver.behave(({ path: target }) => {
    if (target.startsWith("/failing")) return answer(503, { body: hostile.answer });
    if (target.startsWith("/refusing")) return answer(500, { body: "out of ink" });
    if (target.startsWith("/slow")) return answer(200, { delayMs: 1_500 });
    if (target.startsWith("/gone")) return answer(410, { body: "gone for good" });
    if (target.startsWith("/missing")) return answer(404, { body: "no such hook" });
    return answer(200, { body: "thank you" });
  });
  const server = await startExecutable(worldConfig(receiver.url));
  const post = async (path: string, body?: unknown): Promise<void> => {
    const { status, text } = await server.api("POST", path, body);
    if (status >= 300) throw new Error(`${path} answered ${status}: ${text}`);
  };
  await post("/v1/endpoints/-/retired/disable");
  await post("/v1/queues/mail/pause");
  for (const endpoint of ["gone", "missing", "retired", "broken"]) {
    const jobs = Array.from({ length: deadLetters / 4 }, (_, n) => ({
      type: "invoice.paid",
      data: { n },
      endpoint,
    }));
    for (let at = 0; at < jobs.length; at += 500) await server.enqueue("bulk", jobs.slice(at, at + 500));
  }
  const mails = Array.from({ length: 25 }, (_, n) => ({
    type: "mail.sent",
    data: { n },
    endpoint: "mailer",
  }));
  await server.enqueue("mail", mails);
  const { jobs } = await server.enqueue("webhooks", [
    { type: hostile.event, endpoint: "broken", data: { text: hostile.text, line: "x".repeat(900_000) } },
  ]);
  for (let n = 0; n < 12; n += 1) {
    for (const app of ["shop", "chat", "billing"]) {
      const events = [{ name: n % 2 === 0 ? "member_added" : "channel_occupied", channel: `room-${n}` }];
      await post(`/v1/apps/${app}/events`, { events });
    }
  }
  const isThere = async (): Promise<boolean> => {
    const bulk = await server.stats("bulk");
    const { body } = await server.api("GET", "/v1/endpoints/shop/orders");
    const first = await server.api("GET", `/v1/deliveries?job_id=${jobs[0]?.id}`);
    return bulk["dead"] === deadLetters && body.breaker === "open" && first.body.items[0]?.state === "dead";
  };
  await until(isThere, { everyMs: 50, what: "the world's troubles" });
  return {
    server,
    receiver,
    hostileJob: jobs[0]?.id ?? "",
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await receiver.close();
    },
  };
}

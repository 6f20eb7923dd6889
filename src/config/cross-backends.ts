import type { CrossFindings, CrossView } from "./cross-view.ts";

/** Seconds that stall_ms must leave beyond the longest wait of a lease call (backends.md §1). */
const stallMarginMs = 5000;
/** Longest wait of a Redis lease call (backends.md §2). */
const redisWaitMs = 2000;
/** SQS FIFO deduplicates for five minutes, whatever one configures (AWS, "Exactly-once processing"). */
const fifoDeduplicationMs = 300_000;

/** What contradicts itself, or the backend, in the drivers' settings. */
export function checkBackends(view: CrossView, findings: CrossFindings): void {
  checkStall(view, findings);
  checkRedis(view, findings);
  checkCluster(view, findings);
  checkSqs(view, findings);
  warnOfUnused(view, findings);
  warnOfDefaultDriver(view, findings);
}

/** A backend that is described and not chosen: whoever forgot queue.driver would lose jobs with the process. */
function warnOfDefaultDriver({ config, input, sourceOf }: CrossView, { warn }: CrossFindings): void {
  if (config.queue?.driver !== "memory" || sourceOf(["queue", "driver"]) !== "default") return;
  const described: readonly [path: readonly string[], value: unknown, driver: string][] = [
    [["queue", "file"], input.queue?.file, "file"],
    [["queue", "sqs"], input.queue?.sqs, "sqs"],
    [["queue", "redis_cluster"], input.queue?.redis_cluster, "redis-cluster"],
    [["queue", "redis"], input.queue?.redis, "redis"],
    [["database", "redis"], input.database?.redis, "redis"],
  ];
  for (const [path, value, driver] of described) {
    const [key] = Object.keys(value ?? {});
    if (key === undefined) continue;
    const own = [...path, key];
    warn(
      `${own.join(".")} is set (${sourceOf(own)}), but queue.driver is not, so it is memory: set queue.driver (QUEUE_DRIVER) to ${driver}, or to memory to say so`,
    );
  }
}

/** What was written into queue.reliability and means nothing to the driver in use. */
function warnOfUnused({ config, input }: CrossView, { warn }: CrossFindings): void {
  const driver = config.queue?.driver;
  const written = input.queue?.reliability ?? {};
  if (driver === undefined || driver === "none") return;
  const onSqs: Readonly<Record<string, string>> = {
    failed_retention: "SQS keeps dead letters as long as their queue's MessageRetentionPeriod says",
    failed_retention_ms: "SQS keeps dead letters as long as their queue's MessageRetentionPeriod says",
  };
  const elsewhere: Readonly<Record<string, string>> = {
    unknown_grace_ms: "only the sqs driver puts back a job that it cannot route",
  };
  for (const [key, reason] of Object.entries(driver === "sqs" ? onSqs : elsewhere)) {
    if (key in written) warn(`queue.reliability.${key} has no effect on the driver ${driver}: ${reason}`);
  }
}

function checkStall({ config }: CrossView, { issue }: CrossFindings): void {
  const { driver, sqs } = config.queue ?? {};
  const stallMs = config.supervisor?.stall_ms;
  const waits: Partial<Record<string, readonly [number, string]>> = {
    sqs: [(sqs?.wait_time_seconds ?? 0) * 1000, "queue.sqs.wait_time_seconds"],
    redis: [redisWaitMs, "the Redis driver's wait of 2 s"],
    "redis-cluster": [redisWaitMs, "the Redis driver's wait of 2 s"],
  };
  const wait = driver === undefined ? undefined : waits[driver];
  if (wait === undefined || stallMs === undefined || stallMs >= wait[0] + stallMarginMs) return;
  const least = wait[0] + stallMarginMs;
  issue(["supervisor", "stall_ms"], `expected at least ${least} (${wait[1]} and 5 s more), got ${stallMs}`);
}

function checkRedis({ config, input }: CrossView, { issue, warn }: CrossFindings): void {
  const { driver, redis } = config.queue ?? {};
  const database = config.database?.redis;
  const tls = database?.tls;
  if (typeof tls === "object" && tls !== null && (tls.cert === null) !== (tls.key === null)) {
    issue(["database", "redis", "tls"], "a client certificate needs both cert and key");
  }
  if (driver !== "redis") return;
  if (redis?.write_for_sockudo === true) {
    warn("queue.redis.write_for_sockudo: jobs enqueued here stand in Redis with their app_secret");
  }
  if (typeof redis?.url_override !== "string") return;
  const isTlsUrl = /^rediss:/i.test(redis.url_override);
  if (isTlsUrl && tls === false) {
    issue(["database", "redis", "tls"], "false contradicts the rediss:// of queue.redis.url_override");
  } else if (!isTlsUrl && tls !== undefined && tls !== null && tls !== false) {
    issue(
      ["database", "redis", "tls"],
      "has no effect beside the redis:// of queue.redis.url_override: write rediss://",
    );
  }
  const unused = Object.keys(input.database?.redis ?? {}).filter(
    (key) => key !== "tls" && !(key === "cluster_nodes" && redis.cluster_mode === true),
  );
  if (unused.length > 0) {
    warn(`database.redis.${unused.join(", ")}: not used, because queue.redis.url_override is set`);
  }
}

function checkCluster({ config }: CrossView, { issue }: CrossFindings): void {
  const { driver, redis, redis_cluster: cluster } = config.queue ?? {};
  const database = config.database?.redis;
  const isCluster = driver === "redis-cluster" || (driver === "redis" && redis?.cluster_mode === true);
  if (!isCluster) return;
  const urls: [path: (string | number)[], url: unknown][] =
    driver === "redis-cluster"
      ? (cluster?.nodes ?? []).map((node, index) => [["queue", "redis_cluster", "nodes", index], node])
      : [
          [["queue", "redis", "url_override"], redis?.url_override],
          ...(database?.cluster_nodes ?? []).map((node, index): [(string | number)[], unknown] => [
            ["database", "redis", "cluster_nodes", index],
            node,
          ]),
        ];
  const message = "a Redis Cluster has only database 0";
  for (const [path, url] of urls) {
    if (typeof url === "string" && redisUrlDb(url) !== 0) issue(path, message);
  }
  if ((database?.db ?? 0) !== 0) issue(["database", "redis", "db"], message);
  if ((database?.sentinels ?? []).length > 0) {
    issue(["database", "redis", "sentinels"], "Sentinels do not watch a Redis Cluster; use one or the other");
  }
}

function checkSqs({ config, input }: CrossView, { issue, warn }: CrossFindings): void {
  const sqs = config.queue?.sqs;
  if (sqs === undefined) return;
  const written = input.queue?.sqs;
  const url = sqs.queue_url;
  if (typeof url === "string" && typeof sqs.queue_url_prefix === "string") {
    issue(["queue", "sqs", "queue_url_prefix"], "queue.sqs.queue_url is set too; set one of them");
  }
  const isFifoUrl = typeof url === "string" && url.endsWith(".fifo");
  if (written?.fifo === true && typeof url === "string" && !isFifoUrl) {
    issue(["queue", "sqs", "queue_url"], "must end in .fifo, because queue.sqs.fifo is true");
  }
  if (written?.fifo === false && isFifoUrl) {
    issue(["queue", "sqs", "fifo"], "is false, but queue.sqs.queue_url ends in .fifo");
  }
  if (config.queue?.driver !== "sqs") return;
  // Left out it follows from the URL; where another key of queue.sqs is wrong that has not happened yet.
  const isFifo = sqs.fifo ?? isFifoUrl;
  const ttl = config.queue.reliability?.deduplication_ttl_ms;
  if (isFifo && ttl !== undefined && ttl !== fifoDeduplicationMs) {
    issue(
      ["queue", "reliability", "deduplication_ttl_ms"],
      `expected ${fifoDeduplicationMs} with FIFO queues, whose window is 5 minutes whatever one configures, got ${ttl}`,
    );
  }
  if (!isFifo && typeof sqs.group_rate_limit === "object" && sqs.group_rate_limit !== null) {
    issue(["queue", "sqs", "group_rate_limit"], "needs FIFO queues: queue.sqs.fifo is false");
  }
  if (written !== undefined && "process_batch" in written) {
    warn("queue.sqs.process_batch is accepted for Soketi's sake; queue.sqs.max_messages is the receive size");
  }
}

/** Database number of a redis URL; 0 where it names none. */
function redisUrlDb(url: string): number {
  return Number(URL.parse(url)?.pathname.slice(1) ?? 0);
}

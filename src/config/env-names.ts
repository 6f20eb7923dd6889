/**
 * The names of environment variables that have a meaning of their own (contract §2): the project's short
 * ones, and those that Sockudo and Soketi already use. Every key also has its general name,
 * `HOOKLINE_` + path with `__` between the parts (env.ts).
 */
export const envNames: Readonly<Record<string, string>> = {
  HOOKLINE_HOST: "server.host",
  HOOKLINE_PORT: "server.port",
  HOOKLINE_TOKEN: "server.token",
  HOOKLINE_TOKENS: "server.tokens",
  HOOKLINE_APPS: "apps",
  HOOKLINE_ENDPOINTS: "endpoints",

  QUEUE_DRIVER: "queue.driver",
  // Its values are Soketi's own: env-foreign.ts.
  SOKETI_QUEUE_DRIVER: "queue.driver",
  QUEUE_NAMES: "queue.queues",
  QUEUE_CONSUME: "queue.consume",

  QUEUE_MEMORY_CAPACITY: "queue.memory.capacity",
  QUEUE_MEMORY_CONCURRENCY: "queue.memory.concurrency",
  QUEUE_FILE_PATH: "queue.file.path",
  QUEUE_FILE_CONCURRENCY: "queue.file.concurrency",
  QUEUE_FILE_FSYNC: "queue.file.fsync",
  QUEUE_FILE_FSYNC_INTERVAL_MS: "queue.file.fsync_interval_ms",
  QUEUE_FILE_MAX_BYTES: "queue.file.max_bytes",
  QUEUE_FILE_MIN_FREE_MB: "queue.file.min_free_mb",
  QUEUE_FILE_ALLOW_NETWORK_FS: "queue.file.allow_network_fs",

  QUEUE_REDIS_CONCURRENCY: "queue.redis.concurrency",
  QUEUE_REDIS_PREFIX: "queue.redis.prefix",
  QUEUE_REDIS_URL: "queue.redis.url_override",

  DATABASE_REDIS_HOST: "database.redis.host",
  DATABASE_REDIS_PORT: "database.redis.port",
  DATABASE_REDIS_DB: "database.redis.db",
  DATABASE_REDIS_USERNAME: "database.redis.username",
  DATABASE_REDIS_PASSWORD: "database.redis.password",
  DATABASE_REDIS_NAME: "database.redis.name",
  DATABASE_REDIS_SENTINELS: "database.redis.sentinels",
  DATABASE_REDIS_SENTINEL_PASSWORD: "database.redis.sentinel_password",
  DATABASE_REDIS_CLUSTER_NODES: "database.redis.cluster_nodes",
  DATABASE_REDIS_TLS: "database.redis.tls",

  REDIS_CLUSTER_QUEUE_CONCURRENCY: "queue.redis_cluster.concurrency",
  REDIS_CLUSTER_QUEUE_PREFIX: "queue.redis_cluster.prefix",
  REDIS_CLUSTER_NODES: "queue.redis_cluster.nodes",
  REDIS_CLUSTER_QUEUE_REQUEST_TIMEOUT_MS: "queue.redis_cluster.request_timeout_ms",

  QUEUE_SQS_REGION: "queue.sqs.region",
  SOKETI_QUEUE_SQS_REGION: "queue.sqs.region",
  QUEUE_SQS_ENDPOINT_URL: "queue.sqs.endpoint_url",
  SOKETI_QUEUE_SQS_ENDPOINT: "queue.sqs.endpoint_url",
  SOKETI_QUEUE_SQS_URL: "queue.sqs.queue_url",
  QUEUE_SQS_URL_PREFIX: "queue.sqs.queue_url_prefix",
  SOKETI_QUEUE_SQS_CLIENT_OPTIONS: "queue.sqs.client_options",
  QUEUE_SQS_VISIBILITY_TIMEOUT: "queue.sqs.visibility_timeout",
  QUEUE_SQS_MAX_MESSAGES: "queue.sqs.max_messages",
  SOKETI_QUEUE_SQS_BATCH_SIZE: "queue.sqs.max_messages",
  SOKETI_QUEUE_SQS_PROCESS_BATCH: "queue.sqs.process_batch",
  QUEUE_SQS_WAIT_TIME_SECONDS: "queue.sqs.wait_time_seconds",
  SOKETI_QUEUE_SQS_POLLING_WAIT_TIME_MS: "queue.sqs.polling_wait_time_ms",
  QUEUE_SQS_CONCURRENCY: "queue.sqs.concurrency",
  QUEUE_SQS_FIFO: "queue.sqs.fifo",
  QUEUE_SQS_MESSAGE_GROUP_ID: "queue.sqs.message_group_id",

  QUEUE_LEASE_DURATION_MS: "queue.reliability.lease_duration_ms",
  QUEUE_SHUTDOWN_TIMEOUT_MS: "queue.reliability.shutdown_timeout_ms",
  QUEUE_FAILED_RETENTION: "queue.reliability.failed_retention",
  QUEUE_DEDUPLICATION_TTL_MS: "queue.reliability.deduplication_ttl_ms",

  WEBHOOK_REQUEST_TIMEOUT_MS: "webhooks.request_timeout_ms",
  QUEUE_MAX_ATTEMPTS: "webhooks.retry.max_attempts",
  QUEUE_RETRY_BASE_DELAY_MS: "webhooks.retry.initial_backoff_ms",
  QUEUE_RETRY_MAX_DELAY_MS: "webhooks.retry.max_backoff_ms",
  QUEUE_RETRY_JITTER: "webhooks.retry.jitter",
  WEBHOOK_BATCHING_ENABLED: "webhooks.batching.enabled",
  WEBHOOK_BATCHING_DURATION: "webhooks.batching.duration_ms",
  WEBHOOK_BATCHING_SIZE: "webhooks.batching.size",

  LOG_LEVEL: "log.level",
  LOG_FORMAT: "log.format",
};

/** REDIS_URL is read where no other name sets the key: contract §2, "QUEUE_REDIS_URL, else REDIS_URL". */
export const fallbackEnvNames: Readonly<Record<string, string>> = { REDIS_URL: "queue.redis.url_override" };

/**
 * Soketi's names for its own connection and batching. They are read where neither another name nor the file sets the
 * key: whoever shares one environment between the two may have told hookline something else.
 */
export const soketiEnvNames: Readonly<Record<string, string>> = {
  SOKETI_DB_REDIS_HOST: "database.redis.host",
  SOKETI_DB_REDIS_PORT: "database.redis.port",
  SOKETI_DB_REDIS_DB: "database.redis.db",
  SOKETI_DB_REDIS_USERNAME: "database.redis.username",
  SOKETI_DB_REDIS_PASSWORD: "database.redis.password",
  SOKETI_DB_REDIS_SENTINELS: "database.redis.sentinels",
  SOKETI_DB_REDIS_SENTINEL_PASSWORD: "database.redis.sentinel_password",
  SOKETI_DB_REDIS_INSTANCE_NAME: "database.redis.name",
  SOKETI_DB_REDIS_CLUSTER_NODES: "database.redis.cluster_nodes",
  SOKETI_QUEUE_REDIS_CONCURRENCY: "queue.redis.concurrency",
  SOKETI_QUEUE_REDIS_CLUSTER_MODE: "queue.redis.cluster_mode",
  SOKETI_WEBHOOKS_BATCHING: "webhooks.batching.enabled",
  SOKETI_WEBHOOKS_BATCHING_DURATION: "webhooks.batching.duration_ms",
};

/** HOOKLINE_ names that are no keys: the configuration file, and the server that the CLI asks. */
export const otherEnvNames: ReadonlySet<string> = new Set(["HOOKLINE_CONFIG", "HOOKLINE_URL"]);

/**
 * Whether a variable is one that Kubernetes sets for a Service named like us (a Service `hookline` gives
 * HOOKLINE_PORT=tcp://10.0.0.7:9640), and so none of ours. Kubernetes documentation, "Discovering
 * services: environment variables".
 */
export function isServiceLink(name: string, value: string): boolean {
  if (/_SERVICE_HOST$|_SERVICE_PORT(?:_|$)|_PORT_\d+_(?:TCP|UDP|SCTP)(?:_|$)/.test(name)) return true;
  return name.endsWith("_PORT") && /^(?:tcp|udp|sctp):\/\//.test(value);
}

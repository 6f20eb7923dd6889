import { resolve } from "node:path";
import * as v from "valibot";
import { choice, flag, integer, milliseconds, text, concurrency } from "../../../config/kinds.ts";
import { setting } from "../../../config/setting.ts";
import { noGrace, wokenWaitMs, type Backend, type CommonConfig } from "../../backend.ts";

const section = v.strictObject({
  path: setting(text("Folder of the store; one process at a time."), {
    env: "QUEUE_FILE_PATH",
    default: "./hookline-data",
  }),
  concurrency: setting(concurrency, { env: "QUEUE_FILE_CONCURRENCY", default: 5, reload: "live" }),
  fsync: setting(
    choice(
      ["always", "interval", "never"],
      "always: a job is confirmed once it is on the disk. interval: a power cut takes at most fsync_interval_ms. never: what the system has not written yet.",
    ),
    { env: "QUEUE_FILE_FSYNC", default: "always" },
  ),
  fsync_interval_ms: setting(milliseconds(1, 'With fsync "interval": how often the disk is synced.'), {
    env: "QUEUE_FILE_FSYNC_INTERVAL_MS",
    default: 1000,
  }),
  max_bytes: setting(
    v.nullable(
      integer({ min: 1 }, "Bytes of the store from which on no more jobs are taken in; null = no limit."),
    ),
    { env: "QUEUE_FILE_MAX_BYTES", default: null },
  ),
  min_free_mb: setting(
    integer({ min: 1 }, "MiB of the disk that are left free: below, no more jobs are taken in."),
    { env: "QUEUE_FILE_MIN_FREE_MB", default: 256 },
  ),
  allow_network_fs: setting(flag("true: a network or FUSE file system is used all the same."), {
    env: "QUEUE_FILE_ALLOW_NETWORK_FS",
    default: false,
  }),
});

type Config = CommonConfig & { readonly queue: { readonly file: v.InferOutput<typeof section> } };

/** A journal in a folder of this machine; `queue.file`. */
export const file = {
  queue: { file: setting(section, { default: {}, reload: "restart" }) },
  unused: noGrace,
  consuming: (config) => ({
    concurrency: config.queue.file.concurrency,
    leaseMs: config.queue.reliability.lease_duration_ms,
    waitMs: wokenWaitMs(config),
  }),
  async create(config, context) {
    const { createFileDriver } = await import("./driver.ts");
    const { queues, file, reliability } = config.queue;
    return createFileDriver({
      ...context,
      fail:
        context.fail ??
        ((error) => {
          throw error;
        }),
      folder: resolve(file.path),
      queues: queues.map(({ name }) => name),
      fsync: file.fsync,
      fsyncIntervalMs: file.fsync_interval_ms,
      maxBytes: file.max_bytes,
      minFreeBytes: file.min_free_mb * 1024 * 1024,
      allowNetworkFs: file.allow_network_fs,
      deadLetterRetention: reliability.failed_retention,
      deadLetterRetentionMs: reliability.failed_retention_ms,
      deduplicationTtlMs: reliability.deduplication_ttl_ms,
      // The disk has no limit of its own: what the HTTP server lets in must fit.
      maxPayloadBytes: Math.max(config.server.max_body_bytes, 64 * 1024 * 1024),
    });
  },
} satisfies Backend<Config>;

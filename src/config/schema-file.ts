import * as v from "valibot";
import { choice, flag, integer, milliseconds, text } from "./kinds.ts";
import { setting } from "./setting.ts";

/** `queue.file`: a journal in a folder of this machine. */
export const fileSchema = v.strictObject({
  path: setting(text("Folder of the store; one process at a time."), {
    env: "QUEUE_FILE_PATH",
    default: "./hookline-data",
  }),
  concurrency: setting(
    integer({ min: 1 }, "Attempts in flight per queue, plus one for each endpoint that has none in flight."),
    { env: "QUEUE_FILE_CONCURRENCY", default: 5 },
  ),
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

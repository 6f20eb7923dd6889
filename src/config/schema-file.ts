import * as v from "valibot";
import { choice, flag, integer, milliseconds, text } from "./kinds.ts";

/** `queue.file`: a journal in a folder of this machine. */
export const fileSchema = v.strictObject({
  path: v.optional(text("Folder of the store; one process at a time."), "./hookline-data"),
  concurrency: v.optional(
    integer({ min: 1 }, "Attempts in flight per queue, plus one for each endpoint that has none in flight."),
    5,
  ),
  fsync: v.optional(
    choice(
      ["always", "interval", "never"],
      "always: a job is confirmed once it is on the disk. interval: a power cut takes at most fsync_interval_ms. never: what the system has not written yet.",
    ),
    "always",
  ),
  fsync_interval_ms: v.optional(
    milliseconds(1, 'With fsync "interval": how often the disk is synced.'),
    1000,
  ),
  max_bytes: v.optional(
    v.nullable(
      integer({ min: 1 }, "Bytes of the store from which on no more jobs are taken in; null = no limit."),
    ),
    null,
  ),
  min_free_mb: v.optional(
    integer({ min: 1 }, "MiB of the disk that are left free: below, no more jobs are taken in."),
    256,
  ),
  allow_network_fs: v.optional(flag("true: a network or FUSE file system is used all the same."), false),
});

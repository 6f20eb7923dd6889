import { loadConfig } from "../config/load.ts";
import { UsageError } from "../errors.ts";
import type { ReceiverKeys } from "../receiver/check.ts";
import type { CommandIo } from "./command.ts";
import {
  createInputReader,
  readSecret,
  secretFlags,
  verifyingKey,
  type SecretFlag,
} from "./secret-source.ts";

/** The flags that say with which keys to verify. */
export const keyFlags = [
  ...secretFlags("key"),
  "pusher-key",
  ...secretFlags("pusher-secret"),
  "config",
] as const;

type KeyValues = Readonly<
  Partial<Record<SecretFlag<"key"> | SecretFlag<"pusher-secret"> | "pusher-key" | "config", string>>
>;

/**
 * The keys that flags give; without such a flag all those of the configuration, as a receiver of any of its webhooks
 * has them.
 *
 * @throws UsageError for flags that do not fit; ConfigError for a configuration that cannot be used.
 */
export async function readReceiverKeys(values: KeyValues, io: CommandIo): Promise<ReceiverKeys> {
  const input = createInputReader(io);
  const keyText = await readSecret("key", values, io, input);
  const secret = await readSecret("pusher-secret", values, io, input);
  const key = values["pusher-key"] ?? null;
  if (key !== null && secret === null) {
    throw new UsageError("listen: --pusher-key needs a --pusher-secret-file");
  }
  if (keyText === null && secret === null) return configuredKeys(values.config, io);
  if (values.config !== undefined) throw new UsageError("listen: give keys, or --config, not both");
  const standardTexts = keyText?.split(/\s+/) ?? [];
  return {
    standard: standardTexts.map(verifyingKey),
    standardTexts,
    pusher: secret === null ? [] : [{ key, secret }],
  };
}

async function configuredKeys(file: string | undefined, io: CommandIo): Promise<ReceiverKeys> {
  const args = { ...(file === undefined ? {} : { config: file }), sets: [], queues: [] };
  const { apps, endpoints } = (await loadConfig({ args, env: io.env, cwd: io.cwd })).config;
  const receivers = [...apps.flatMap(({ webhooks }) => webhooks), ...Object.values(endpoints)];
  const texts = receivers.flatMap(({ signing_keys: keys }) => keys.map(({ key }) => key));
  const standardTexts = [...new Set(texts)];
  return {
    standard: standardTexts.map(verifyingKey),
    standardTexts,
    pusher: apps.map(({ key, secret }) => ({ key, secret })),
  };
}

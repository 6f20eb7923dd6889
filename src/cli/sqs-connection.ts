import { loadConfig } from "../config/load.ts";
import { quote } from "../secrets/showable.ts";
import { parseAddress } from "../queue/drivers/sqs/address.ts";
import type { QueueRef, SqsApi } from "../queue/drivers/sqs/api.ts";
import { createSqsApi } from "../queue/drivers/sqs/client.ts";
import { mapClientOptions } from "../queue/drivers/sqs/client-options.ts";
import type { ParsedArguments } from "./arguments.ts";
import { UsageError } from "../errors.ts";
import type { CommandIo } from "./command.ts";

/** Flags of every `hookline sqs` command. */
export const connectionFlags = ["endpoint", "region", "config"] as const;
export type ConnectionFlag = (typeof connectionFlags)[number];

/** SQS as a command reaches it. */
export interface Connection {
  readonly api: SqsApi;
  /** Finds a queue by name, URL or ARN; rejects with a sentence when there is none. */
  readonly find: (queue: string) => Promise<QueueRef>;
}

/**
 * Runs `use` with a connection and closes it afterwards.
 *
 * Region: `--region`, else the configuration's, else $AWS_REGION, $AWS_DEFAULT_REGION, us-east-1. Credentials: the
 * configuration's client_options, else as AWS's tools find them (environment, profiles, roles).
 *
 * @throws ConfigError when a configuration is there and cannot be used.
 */
export async function withConnection(
  flags: ParsedArguments<ConnectionFlag, never>["values"],
  io: CommandIo,
  use: (connection: Connection) => Promise<number>,
): Promise<number> {
  const args = { ...(flags.config === undefined ? {} : { config: flags.config }), sets: [], queues: [] };
  const loaded = await loadConfig({ args, env: io.env, cwd: io.cwd });
  const { sqs } = loaded.config.queue;
  const isDefault = loaded.sourceOf("queue.sqs.region") === "default";
  const fromEnv = io.env["AWS_REGION"] || io.env["AWS_DEFAULT_REGION"];
  const region = flags.region ?? (isDefault && fromEnv ? fromEnv : sqs.region);
  const settings = mapClientOptions(sqs.client_options);
  const endpointUrl = flags.endpoint ?? sqs.endpoint_url;
  if (endpointUrl !== null && !URL.canParse(endpointUrl)) {
    throw new UsageError(
      `--endpoint: expected something like http://127.0.0.1:4566, got ${quote(endpointUrl, "text")}`,
    );
  }
  const api = await createSqsApi({
    region,
    endpointUrl,
    config: settings.config,
    requestTimeoutMs: settings.requestTimeoutMs,
    warn: (text) => io.stderr.writeLine(text),
  });
  const find = async (queue: string): Promise<QueueRef> => {
    const address = parseAddress(queue);
    if (address === null) throw new UsageError(`"${queue}" is no queue: expected a name, a URL or an ARN`);
    if (address.kind === "url") return { url: address.url, name: address.name };
    return { url: await api.findUrl(address.name, address.owner), name: address.name };
  };
  try {
    return await use({ api, find });
  } finally {
    api.destroy();
  }
}

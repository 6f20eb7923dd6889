import type { Buffer } from "node:buffer";
import { signPusher } from "../delivery/sign.ts";
import { parseSigningKey } from "../delivery/signing-keys.ts";
import { signStandard, type DatedKey } from "../delivery/standard-webhooks.ts";
import { UsageError } from "../errors.ts";
import { newJobId } from "../jobs/id.ts";
import { parseArguments, parseCount } from "./arguments.ts";
import type { RunCommand } from "./command.ts";
import { createInputReader, readSecret, secretFlags } from "./secret-source.ts";

/**
 * `hookline sign [FILE|-]`: the headers that a delivery of exactly these bytes has, one a line, as curl's
 * `-H @FILE` takes them.
 */
export const sign: RunCommand = async (args, io) => {
  const { values, positionals } = parseArguments(args, {
    values: [...secretFlags("key"), "pusher-key", ...secretFlags("pusher-secret"), "id", "timestamp"],
    positionals: ["FILE"],
  });
  const input = createInputReader(io);
  const keyText = await readSecret("key", values, io, input);
  const pusherSecret = await readSecret("pusher-secret", values, io, input);
  const pusherKey = values["pusher-key"];
  if (keyText === null && pusherSecret === null) {
    throw new UsageError("sign: give a key (--key-file FILE), or --pusher-key and --pusher-secret-file");
  }
  if ((pusherSecret === null) !== (pusherKey === undefined)) {
    throw new UsageError("sign: --pusher-key and a --pusher-secret belong together");
  }
  const body = await input.read(positionals[0] ?? "-");

  const lines: string[] = [];
  if (keyText !== null) {
    lines.push(...signStandardLines(keyText, body, values));
  } else if (values.id !== undefined || values.timestamp !== undefined) {
    throw new UsageError("sign: --id and --timestamp belong to Standard Webhooks: give a key");
  }
  if (pusherSecret !== null) {
    lines.push(`x-pusher-key: ${pusherKey}`, `x-pusher-signature: ${signPusher(pusherSecret, body)}`);
  }
  io.stdout.write(`${lines.join("\n")}\n`);
  return 0;
};

function signStandardLines(
  keyText: string,
  body: Buffer,
  values: { readonly id?: string; readonly timestamp?: string },
): string[] {
  const id = values.id ?? newJobId();
  if (!/^[\x21-\x2d\x2f-\x7e]+$/.test(id)) {
    throw new UsageError("--id: expected visible ASCII without a dot, which separates what is signed");
  }
  const nowMs = Date.now();
  const timestampSeconds =
    values.timestamp === undefined
      ? Math.floor(nowMs / 1000)
      : parseCount("--timestamp", values.timestamp, 0);
  const keys = signingKeys(keyText);
  const signature = signStandard({ id, timestampSeconds, body, keys, nowMs });
  return [`webhook-id: ${id}`, `webhook-timestamp: ${timestampSeconds}`, `webhook-signature: ${signature}`];
}

/** All keys in the text. What `keys generate --ed25519` wrote has the public half beside the secret one. */
function signingKeys(text: string): DatedKey[] {
  const words = text.split(/\s+/);
  const secrets = words.filter((word) => !word.startsWith("whpk_"));
  return (secrets.length === 0 ? words : secrets).map((word) => {
    const key = parseSigningKey(word);
    if (typeof key === "string") throw new UsageError(`--key: ${key}`);
    return { key, notAfter: null };
  });
}

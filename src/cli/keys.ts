import {
  encodePublicKey,
  generateKeyPair,
  generateSymmetricKey,
  parseSigningKey,
} from "../delivery/signing-keys.ts";
import { UsageError } from "../errors.ts";
import { parseArguments } from "./arguments.ts";
import type { CommandIo, RunCommand } from "./command.ts";
import { createInputReader, readSecret, secretFlags } from "./secret-source.ts";
import { withSubcommands } from "./subcommand-runner.ts";

/** Without a flag the kind that every receiver's library can verify. */
async function generate(args: readonly string[], io: CommandIo): Promise<number> {
  const { switches } = parseArguments(args, { switches: ["hmac", "ed25519"] });
  if (switches.size > 1) throw new UsageError("keys generate: --hmac or --ed25519, not both");
  if (switches.has("ed25519")) {
    const { secretKey, publicKey } = generateKeyPair();
    io.stdout.write(`${secretKey}\n${publicKey}\n`);
  } else {
    io.stdout.write(`${generateSymmetricKey()}\n`);
  }
  return 0;
}

/** The public half of each whsk_ key given, one a line. */
async function showPublic(args: readonly string[], io: CommandIo): Promise<number> {
  const { values, positionals } = parseArguments(args, { values: secretFlags("key"), positionals: ["KEY"] });
  const input = createInputReader(io);
  const [word] = positionals;
  const given =
    word === undefined ? values : { ...values, ...(word === "-" ? { "key-file": "-" } : { key: word }) };
  const secret = await readSecret("key", given, io, input);
  if (secret === null) throw new UsageError("keys public: KEY is missing (- reads it from standard input)");
  for (const text of secret.split(/\s+/)) {
    if (text.startsWith("whpk_")) continue;
    const key = parseSigningKey(text);
    if (typeof key === "string") throw new UsageError(`keys public: ${key}`);
    if (key.version === "v1") {
      throw new UsageError("keys public: a whsec_ key is symmetric: receivers get the key itself");
    }
    io.stdout.write(`${encodePublicKey(key.publicKey)}\n`);
  }
  return 0;
}

/** `hookline keys generate|public`: keys of Standard Webhooks. */
export const keys: RunCommand = withSubcommands("keys", { generate, public: showPublic });

import { Buffer } from "node:buffer";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { parseVerifyingKey, type VerifyingKey } from "../delivery/signing-keys.ts";
import { UsageError } from "../errors.ts";
import type { CommandIo } from "./command.ts";
import { describeFileFault } from "./fault-text.ts";

/** The three flags through which one secret can come: `--key`, `--key-file` and `--key-env`. */
export type SecretFlag<Name extends string> = Name | `${Name}-file` | `${Name}-env`;

/** Names of those flags, for parseArguments. */
export function secretFlags<const Name extends string>(name: Name): SecretFlag<Name>[] {
  return [name, `${name}-file`, `${name}-env`];
}

/** Reads files, and standard input for `-`. */
export interface InputReader {
  /**
   * The bytes. Rejects with a sentence that names a file which cannot be read; throws UsageError when
   * standard input is asked for a second time: there is only one.
   */
  read(file: string): Promise<Buffer>;
}

export function createInputReader(io: Pick<CommandIo, "cwd" | "readStdin">): InputReader {
  let isStdinTaken = false;
  return {
    async read(file) {
      if (file !== "-") return readInput(resolve(io.cwd, file), file);
      if (isStdinTaken) throw new UsageError("standard input can be read for one thing only: name a file");
      isStdinTaken = true;
      return Buffer.from(await io.readStdin());
    },
  };
}

async function readInput(path: string, shown: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new Error(`${shown} cannot be read: ${describeFileFault(error)}`, { cause: error });
  }
}

/**
 * A secret from a file, the environment or, last choice, the command line, where every user of the machine
 * can read it; null when none of its flags is given.
 *
 * @throws UsageError when several are given, or the variable or file is empty.
 */
export async function readSecret<const Name extends string>(
  name: Name,
  values: Readonly<Partial<Record<SecretFlag<Name>, string>>>,
  io: Pick<CommandIo, "env">,
  input: InputReader,
): Promise<string | null> {
  const given = secretFlags(name).filter((flag) => values[flag] !== undefined);
  const [flag, other] = given;
  if (flag === undefined) return null;
  if (other !== undefined) throw new UsageError(`--${flag} and --${other}: give one of them`);
  const value = values[flag] as string;
  const secret =
    flag === `${name}-file`
      ? (await input.read(value)).toString("utf8")
      : flag === `${name}-env`
        ? (io.env[value] ?? "")
        : value;
  if (secret.trim() === "") throw new UsageError(`--${flag}: ${flag === name ? "it" : value} is empty`);
  return secret.trim();
}

/** A key of `--key` that verifies. Throws UsageError that says what is wrong with it, never the key. */
export function verifyingKey(text: string): VerifyingKey {
  const key = parseVerifyingKey(text);
  if (typeof key === "string") throw new UsageError(`--key: ${key}`);
  return key;
}

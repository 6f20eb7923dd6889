import { parseArgs } from "node:util";
import { UsageError } from "../errors.ts";
import { didYouMean } from "../suggest.ts";

/** What a command takes. */
export interface ArgumentShape<Flag extends string, Switch extends string> {
  /** Flags with a value: `--url URL` or `--url=URL`. Given twice, the last one counts. */
  readonly values?: readonly Flag[];
  /** Flags without one: `--json`. */
  readonly switches?: readonly Switch[];
  /** Names of the positional arguments, for messages; the last one ends in `...` when it may repeat. */
  readonly positionals?: readonly string[];
  /** How many of the positionals must be there. */
  readonly required?: number;
}

export interface ParsedArguments<Flag extends string, Switch extends string> {
  readonly values: Readonly<Partial<Record<Flag, string>>>;
  readonly switches: ReadonlySet<Switch>;
  readonly positionals: readonly string[];
}

/**
 * The arguments of a command, checked against its shape; throws UsageError naming the first one that does not fit.
 *
 * `-` is a positional (standard input), and so is everything after `--`.
 */
export function parseArguments<Flag extends string = never, Switch extends string = never>(
  args: readonly string[],
  shape: ArgumentShape<Flag, Switch>,
): ParsedArguments<Flag, Switch> {
  const valueNames: readonly string[] = shape.values ?? [];
  const switchNames: readonly string[] = shape.switches ?? [];
  const { tokens } = parseArgs({
    args: [...args],
    strict: false,
    tokens: true,
    options: Object.fromEntries([
      ...valueNames.map((name) => [name, { type: "string" as const }]),
      ...switchNames.map((name) => [name, { type: "boolean" as const }]),
    ]),
  });
  const values: Record<string, string> = {};
  const switches = new Set<string>();
  const positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") positionals.push(token.value);
    if (token.kind !== "option") continue;
    if (valueNames.includes(token.name)) {
      if (token.value === undefined) throw new UsageError(`${token.rawName} needs a value`);
      values[token.name] = token.value;
    } else if (switchNames.includes(token.name)) {
      if (token.value !== undefined) throw new UsageError(`${token.rawName} takes no value`);
      switches.add(token.name);
    } else {
      const known = [...valueNames, ...switchNames].map((name) => `--${name}`);
      throw new UsageError(`unknown option ${token.rawName}${didYouMean(token.rawName, known)}`);
    }
  }
  const names = shape.positionals ?? [];
  const missing = names[positionals.length];
  if (positionals.length < (shape.required ?? 0)) throw new UsageError(`${missing} is missing`);
  const mayRepeat = names.at(-1)?.endsWith("...") === true;
  const surplus = positionals[names.length];
  if (surplus !== undefined && !mayRepeat) throw new UsageError(`unexpected argument "${surplus}"`);
  return {
    values: values as Partial<Record<Flag, string>>,
    switches: switches as ReadonlySet<string> as ReadonlySet<Switch>,
    positionals,
  };
}

/** The value of a flag as a whole number of at least `least`; throws UsageError otherwise. */
export function parseCount(flag: string, text: string, least: number): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(count) || count < least) {
    throw new UsageError(`${flag}: expected an integer of at least ${least}, got "${text}"`);
  }
  return count;
}

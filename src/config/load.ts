import { resolve } from "node:path";
import * as v from "valibot";
import { ConfigError, type ConfigIssue } from "../errors.ts";
import { admit } from "./admit.ts";
import { checkAcross } from "./cross.ts";
import { configEntries, type ConfigEntry } from "./display.ts";
import { readEnv, type Env } from "./env.ts";
import { readTextFile } from "./file.ts";
import { applyFlags, type ConfigArgs } from "./flags.ts";
import { attribute, describeIssues } from "./issues.ts";
import { describeSyntaxError } from "./json-excerpt.ts";
import { readJson } from "./json-text.ts";
import { createLayers, type Layers } from "./layers.ts";
import { punchHoles, type Loose } from "./loose.ts";
import { createMasker, secretsOf } from "./redact.ts";
import { configSchema, type Config } from "./schema.ts";

export interface LoadOptions {
  readonly args: ConfigArgs;
  readonly env: Env;
  /** Directory that relative names of files refer to. */
  readonly cwd: string;
  /** Whether stderr is a terminal: the default of log.format. */
  readonly isTerminal?: boolean;
}

/** The effective configuration, and where each value came from. */
export interface LoadedConfig {
  readonly config: Config;
  /** Path of the file that was read, as it was named; null when there was none. */
  readonly file: string | null;
  /** Who set a value: `env QUEUE_DRIVER`, `file hookline.json`, `flag --set`, `default`. */
  readonly sourceOf: (path: string) => string;
  /** Every key, secrets redacted. */
  readonly entries: () => ConfigEntry[];
  /** What works but is surely not meant; to be logged once. */
  readonly warnings: readonly string[];
}

/**
 * Reads defaults, file, environment and flags, the later one winning, and checks the result.
 *
 * @throws ConfigError with every issue of every source at once. It quotes no secret.
 */
export async function loadConfig(options: LoadOptions): Promise<LoadedConfig> {
  const { args, env, cwd } = options;
  const layers = createLayers();
  const issues: ConfigIssue[] = [];

  const file = await readFileLayer(nameFile(args, env, cwd), layers, issues);
  const fromEnv = await readEnv(env, layers.at);
  for (const { path, name, message } of fromEnv.issues) issues.push({ path, source: `env ${name}`, message });
  for (const { path, value, name } of fromEnv.settings) {
    const problem = layers.assign(path, value, `env ${name}`);
    if (problem !== null) issues.push({ path: path.join("."), source: `env ${name}`, message: problem });
  }
  issues.push(...applyFlags(args, layers));

  const checked = check(layers, options.isTerminal ?? false, issues);
  if (!checked.ok) throw new ConfigError(checked.issues);
  const sourceOf = (path: string): string => layers.sourceOf(path.split("."));
  return {
    config: checked.config,
    file,
    sourceOf,
    entries: () => configEntries(checked.config, sourceOf),
    warnings: [...fromEnv.warnings, ...checked.warnings],
  };
}

interface FileName {
  /** As the user wrote it. */
  readonly shown: string;
  readonly path: string;
  /** What named it; null for ./hookline.json, which need not exist. */
  readonly namedBy: string | null;
}

function nameFile(args: ConfigArgs, env: Env, cwd: string): FileName {
  const fromEnv = env["HOOKLINE_CONFIG"] === "" ? undefined : env["HOOKLINE_CONFIG"];
  const shown = args.config ?? fromEnv ?? "hookline.json";
  const namedBy =
    args.config !== undefined ? "flag --config" : fromEnv !== undefined ? "env HOOKLINE_CONFIG" : null;
  return { shown, path: resolve(cwd, shown), namedBy };
}

/** Reads and merges the file; returns its name when there is one. */
async function readFileLayer(name: FileName, layers: Layers, issues: ConfigIssue[]): Promise<string | null> {
  const reading = await readTextFile(name.path);
  if (!reading.ok) {
    if (name.namedBy === null && reading.isMissing) return null;
    issues.push({ path: "", source: name.namedBy ?? "", message: reading.message });
    return name.shown;
  }
  const source = `file ${name.shown}`;
  const json = readJson(reading.text);
  if (!json.ok) {
    issues.push({ path: "", source, message: describeSyntaxError(reading.text, json.offset, json.message) });
    return name.shown;
  }
  for (const path of json.duplicates) {
    issues.push({ path: path.join("."), source, message: "this key stands twice in its object" });
  }
  if (typeof json.value !== "object" || json.value === null || Array.isArray(json.value)) {
    issues.push({ path: "", source, message: "expected an object, as in { … }" });
    return name.shown;
  }
  const { $schema: _schema, ...value } = json.value as Record<string, unknown>;
  const admitted = admit(configSchema, value, [], (path, message) => {
    issues.push({ path: path.join("."), source, message });
  });
  layers.assign([], admitted, source);
  return name.shown;
}

type Checked =
  | { readonly ok: true; readonly config: Config; readonly warnings: readonly string[] }
  | { readonly ok: false; readonly issues: readonly ConfigIssue[] };

/** The schema, then what relates keys to each other, over whatever of the configuration is sound. */
function check(layers: Layers, isTerminal: boolean, earlier: readonly ConfigIssue[]): Checked {
  const withFormat = fillLogFormat(layers.tree, isTerminal);
  const result = v.safeParse(configSchema, withFormat);
  const mask = createMasker(secretsOf(layers.tree));
  const ofSchema = describeIssues(result.issues ?? [], mask).filter(
    ({ path }) => !earlier.some((issue) => issue.path !== "" && isWithin(path.join("."), issue.path)),
  );
  const holes = [...ofSchema.map(({ path }) => path), ...earlier.map(({ path }) => path.split("."))];
  const input = structuredClone(withFormat);
  const output = structuredClone(result.output);
  punchHoles(input, holes);
  punchHoles(output, holes);
  const across = checkAcross({ input, config: output as Loose<Config> });
  const issues = [...earlier, ...attribute([...ofSchema, ...across.issues], layers)];
  if (issues.length > 0 || !result.success) return { ok: false, issues };
  return { ok: true, config: result.output, warnings: across.warnings };
}

const isWithin = (path: string, outer: string): boolean => path === outer || path.startsWith(`${outer}.`);

/** contract §2: log.format is "pretty" on a terminal. */
function fillLogFormat(tree: Record<string, unknown>, isTerminal: boolean): Record<string, unknown> {
  const log = tree["log"];
  if (!isTerminal || (log !== undefined && typeof log !== "object")) return tree;
  return { ...tree, log: { format: "pretty", ...log } };
}

import { resolve } from "node:path";
import { ConfigError } from "../errors.ts";
import type { ConfigIssue } from "../errors.ts";
import { admit } from "./admit.ts";
import { checkTree } from "./check-tree.ts";
import { createReceiverCheck, type ReceiverCheck } from "./receiver-check.ts";
import { configEntries, eachConfigEntry, type ConfigEntry } from "../secrets/redacted-config.ts";
import { readEnv, type Env } from "./env.ts";
import { warnOfExtraCertificates } from "./extra-certificates.ts";
import { readTextFile } from "./file.ts";
import { applyFlags, type ConfigArgs } from "./flags.ts";
import { attribute, type Finding } from "./issues.ts";
import { describeSyntaxError } from "./json-excerpt.ts";
import { readJson } from "./json-text.ts";
import { createLayers, type Layers } from "./layers.ts";
import { quoteFileName } from "../secrets/showable.ts";
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
  /** Absolute paths of all files that were read, or looked for: the configuration, and those that NAME_FILE names. */
  readonly files: readonly string[];
  /** Who set a value: `env QUEUE_DRIVER`, `file hookline.json`, `flag --set`, `default`. */
  readonly sourceOf: (path: string) => string;
  /** Every key, secrets redacted. */
  readonly entries: () => ConfigEntry[];
  /** As `entries`, one by one. */
  readonly eachEntry: () => Iterable<ConfigEntry>;
  /** What works but is surely not meant; to be logged once. */
  readonly warnings: readonly string[];
  /** Checks what the API stores as the file's own apps and endpoints are checked. */
  readonly receivers: ReceiverCheck;
}

/**
 * Reads defaults, file, environment and flags, the later one winning, and checks the result.
 *
 * @throws ConfigError with every issue of every source at once. It quotes no secret.
 */
export async function loadConfig(options: LoadOptions): Promise<LoadedConfig> {
  const { args, env, cwd } = options;
  const layers = createLayers();
  const findings: Finding[] = [];

  const name = nameFile(args, env, cwd);
  const file = await readFileLayer(name, layers, findings);
  const fromEnv = await readEnv(env, layers.at);
  findings.push(...fromEnv.findings);
  for (const { path, value, name } of fromEnv.settings) {
    const problem = layers.assign(path, value, `env ${name}`);
    if (problem !== null) findings.push({ path, source: `env ${name}`, message: problem });
  }
  findings.push(...applyFlags(args, layers));

  const checked = check(layers, options.isTerminal ?? false, findings);
  const ofCertificates = await warnOfExtraCertificates(env);
  const ofEnv = [...fromEnv.warnings, ...(ofCertificates === null ? [] : [ofCertificates])];
  // What the parts say of each other counts once all of them are sound.
  if (!checked.ok) throw new ConfigError(checked.issues, ofEnv);
  return {
    ...describeLoaded(layers, checked.config),
    file,
    files: [name.path, ...fromEnv.files.map((one) => resolve(one))],
    warnings: [...ofEnv, ...checked.warnings],
  };
}

/** The defaults alone, as if there were neither file nor environment nor flags. */
export function loadDefaults(): LoadedConfig {
  const layers = createLayers();
  const checked = check(layers, false, []);
  if (!checked.ok) throw new ConfigError(checked.issues);
  return { ...describeLoaded(layers, checked.config), file: null, files: [], warnings: [] };
}

function describeLoaded(layers: Layers, config: Config): Omit<LoadedConfig, "file" | "files" | "warnings"> {
  const sourceOf = (path: string): string => layers.sourceOf(path.split("."));
  return {
    config,
    sourceOf,
    entries: () => configEntries(config, sourceOf),
    eachEntry: () => eachConfigEntry(config, sourceOf),
    receivers: createReceiverCheck(layers.tree),
  };
}

interface FileName {
  /** As the user wrote it. */
  readonly written: string;
  readonly path: string;
  /** What named it; null for ./hookline.json, which need not exist. */
  readonly namedBy: string | null;
}

function nameFile(args: ConfigArgs, env: Env, cwd: string): FileName {
  const fromEnv = env["HOOKLINE_CONFIG"] === "" ? undefined : env["HOOKLINE_CONFIG"];
  const written = args.config ?? fromEnv ?? "hookline.json";
  const namedBy =
    args.config !== undefined ? "flag --config" : fromEnv !== undefined ? "env HOOKLINE_CONFIG" : null;
  return { written, path: resolve(cwd, written), namedBy };
}

/** Reads and merges the file; returns its name when there is one. */
async function readFileLayer(name: FileName, layers: Layers, findings: Finding[]): Promise<string | null> {
  const shown = quoteFileName(name.written);
  const source = `file ${shown}`;
  const report = (path: readonly string[], message: string, from = source): void =>
    void findings.push({ path, source: from, message });
  const reading = await readTextFile(name.path, shown === name.written ? name.path : shown);
  if (!reading.ok) {
    if (name.namedBy === null && reading.isMissing) return null;
    report([], reading.message, name.namedBy ?? source);
    return name.written;
  }
  const json = readJson(reading.text);
  if (!json.ok) {
    report([], describeSyntaxError(reading.text, json.offset, json.message));
    return name.written;
  }
  for (const path of json.duplicates) {
    report(path, "this key stands twice in its object");
  }
  if (typeof json.value !== "object" || json.value === null || Array.isArray(json.value)) {
    report([], "expected an object, as in { … }");
    return name.written;
  }
  const { $schema: _schema, ...value } = json.value as Record<string, unknown>;
  const admitted = admit(configSchema, value, [], report);
  layers.assign([], admitted, source);
  return name.written;
}

type Checked =
  | { readonly ok: true; readonly config: Config; readonly warnings: readonly string[] }
  | { readonly ok: false; readonly issues: readonly ConfigIssue[] };

/** The schema, then what relates keys to each other, over whatever of the configuration is sound. */
function check(layers: Layers, isTerminal: boolean, earlier: readonly Finding[]): Checked {
  const checked = checkTree(fillLogFormat(layers.tree, isTerminal), layers.sourceOf, earlier);
  const issues = attribute([...earlier, ...checked.findings], layers);
  if (issues.length > 0 || checked.config === null) return { ok: false, issues };
  return { ok: true, config: checked.config, warnings: checked.warnings };
}

/** contract §2: log.format is "pretty" on a terminal. */
function fillLogFormat(tree: Record<string, unknown>, isTerminal: boolean): Record<string, unknown> {
  const log = tree["log"];
  if (!isTerminal || (log !== undefined && typeof log !== "object")) return tree;
  return { ...tree, log: { format: "pretty", ...log } };
}

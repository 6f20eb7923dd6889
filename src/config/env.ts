import { suggest } from "../suggest.ts";
import { admit } from "./admit.ts";
import { beginsLikeOurs, readSoketiDriver, unreadName } from "./env-foreign.ts";
import { envNames, isServiceLink, otherEnvNames } from "./env-names.ts";
import { readTextFile } from "./file.ts";
import { configSchema } from "./schema.ts";
import type { Finding } from "./issues.ts";
import { isObject } from "./layers.ts";
import { quoteSecretFileName } from "../secrets/showable.ts";
import { knownPaths, nodeAt, objectNode, type SchemaNode } from "./schema-tree.ts";
import { resolvePath } from "./key-path.ts";
import type { EnvRank } from "./setting.ts";
import { readText } from "./value-text.ts";

/** The process's variables, as in process.env. */
export type Env = Readonly<Record<string, string | undefined>>;

/** One value that the environment sets. */
export interface EnvSetting {
  readonly path: readonly string[];
  readonly value: unknown;
  /** The variable, with _FILE where it was read from a file. */
  readonly name: string;
}

export interface EnvReading {
  /** Outer keys before the keys inside them, so that the finer one wins. */
  readonly settings: readonly EnvSetting[];
  readonly findings: readonly Finding[];
  readonly warnings: readonly string[];
  /** The files that NAME_FILE variables name, as they name them. */
  readonly files: readonly string[];
}

/** A variable that names a key. */
interface Variable {
  readonly name: string;
  readonly path: readonly string[];
  /** Read only where nothing of a higher rank sets the key. */
  readonly rank: EnvRank;
}

/**
 * Everything the environment says (contract §2). Variables that are not ours are not even looked at, and
 * an empty one is not set.
 *
 * @param at What the file holds at a path: a name inside a map (`endpoints`, `headers`) is written in upper
 *           case in a variable, so it can only mean one that exists.
 */
export async function readEnv(env: Env, at: (path: readonly string[]) => unknown): Promise<EnvReading> {
  const findings: Finding[] = [];
  const report = (path: readonly string[], name: string, message: string): void =>
    void findings.push({ path, source: `env ${showName(name)}`, message });
  const links: string[] = [];
  const warnings: string[] = [];
  const found: EnvSetting[] = [];
  const variables: Variable[] = [];

  for (const [name, value] of Object.entries(env)) {
    if (value === undefined || value === "" || otherEnvNames.has(name)) continue;
    const isOurs = name.startsWith("HOOKLINE_") || isCompatible(name);
    if (!isOurs && !beginsLikeOurs(name)) continue;
    if (isServiceLink(name, value)) {
      links.push(showName(name));
      continue;
    }
    const variable = findVariable(name, at);
    if (variable !== null) variables.push(variable);
    else if (isOurs) report([], name, unknownName(name, at));
    else warnings.push(unreadName(name, showName(name)));
  }

  for (const variable of dropFallbacks(variables, at)) {
    const { name, path } = variable;
    const pair = variables.find((other) => other.name === `${name}_FILE`);
    if (pair !== undefined) report(path, name, `${pair.name} is set too; unset one of them`);
    const text = await textOf(variable, env[name] as string);
    if (!text.ok) {
      report(path, name, text.message);
      continue;
    }
    if (withoutFile(name) === "SOKETI_QUEUE_DRIVER") {
      const soketi = readSoketiDriver(text.value);
      if ("driver" in soketi) found.push({ path, value: soketi.driver, name });
      else if ("warning" in soketi) warnings.push(soketi.warning);
      else report(path, name, soketi.message);
      continue;
    }
    const node = nodeAt(configSchema, path) as SchemaNode;
    const reading = readText(node, text.value);
    if (!reading.ok) {
      report(path, name, reading.message);
      continue;
    }
    for (const duplicate of reading.duplicates)
      report([...path, ...duplicate], name, "this key stands twice");
    const value = admit(node, reading.value, path, (where, message) => report(where, name, message));
    found.push({ path, value, name });
  }

  const settings = found.sort(
    (left, right) =>
      left.path.length - right.path.length ||
      left.path.join(".").localeCompare(right.path.join("."), "en", { numeric: true }),
  );
  for (const { path, name, message } of findConflicts(settings)) report(path, name, message);
  if (links.length > 0) {
    warnings.push(
      `ignored ${links.sort().join(", ")}: set by Kubernetes for a Service, not meant for hookline`,
    );
  }
  const files = variables.flatMap(({ name }) => (name.endsWith("_FILE") ? [env[name] as string] : []));
  return { settings, findings, warnings, files };
}

const withoutFile = (name: string): string =>
  name.endsWith("_FILE") ? name.slice(0, -"_FILE".length) : name;

const isCompatible = (name: string): boolean => envNames.has(withoutFile(name));

/** The key a name stands for; null when it stands for none. */
function findVariable(name: string, at: (path: readonly string[]) => unknown): Variable | null {
  const key = withoutFile(name);
  const known = envNames.get(key);
  if (known !== undefined) return { name, ...known };
  if (!key.startsWith("HOOKLINE_")) return null;
  const parts = key.slice("HOOKLINE_".length).split("__");
  const path = resolvePath(parts, at, {
    separator: "__",
    isSame: (written, own) => written === own.toUpperCase().replace(/[^A-Z0-9]/g, "_"),
    takesNew: false,
  });
  return path === null ? null : { name, path, rank: "own" };
}

/** Without those whose key is set by what has a higher rank. */
function dropFallbacks(
  variables: readonly Variable[],
  at: (path: readonly string[]) => unknown,
): readonly Variable[] {
  const isSetByOwn = ({ path }: Variable): boolean =>
    variables.some((other) => other.rank === "own" && other.path.join(".") === path.join("."));
  return variables.filter((variable) => {
    if (variable.rank === "own") return true;
    if (variable.rank === "soketi" && at(variable.path) !== undefined) return false;
    return !isSetByOwn(variable);
  });
}

/** The variable's own text, or that of the file it names. */
async function textOf(
  variable: Variable,
  value: string,
): Promise<{ ok: true; value: string } | { ok: false; message: string }> {
  if (!variable.name.endsWith("_FILE")) return { ok: true, value };
  const shown = quoteSecretFileName(value);
  const file = await readTextFile(value, shown);
  if (!file.ok) return { ok: false, message: file.message };
  // Editors and `echo` end a file with a line break that is no part of the secret.
  const text = file.text.replace(/\r?\n$/, "");
  return text === "" ? { ok: false, message: `${shown} is empty` } : { ok: true, value: text };
}

interface Conflict {
  readonly path: readonly string[];
  readonly name: string;
  readonly message: string;
}

/** Two variables that give one key different values, also where one of them gives a whole object. */
function findConflicts(settings: readonly EnvSetting[]): Conflict[] {
  const leaves = new Map<string, { name: string; text: string }>();
  const conflicts = new Map<string, Conflict>();
  const compare = (path: readonly string[], value: unknown, name: string): void => {
    const joined = path.join(".");
    const text = JSON.stringify(value);
    const other = leaves.get(joined);
    const pair = `${other?.name ?? ""} ${name}`;
    if (other === undefined) leaves.set(joined, { name, text });
    else if (other.text !== text && withoutFile(other.name) !== withoutFile(name) && !conflicts.has(pair)) {
      const message = `${other.name} sets the same key to another value; unset one of them`;
      conflicts.set(pair, { path, name, message });
    }
  };
  const visit = (path: readonly string[], value: unknown, name: string): void => {
    // Objects are merged, arrays replaced; yet an element may have a variable of its own.
    if (!isObject(value)) compare(path, value, name);
    if (typeof value !== "object" || value === null) return;
    for (const [key, child] of Object.entries(value)) visit([...path, key], child, name);
  };
  for (const { path, value, name } of settings) if (value !== undefined) visit(path, value, name);
  return [...conflicts.values()];
}

/** A name as messages hold it; what no variable's name holds may be a value that was glued to it. */
const showName = (name: string): string => name.replace(/[^A-Za-z0-9_][\s\S]*$/, "***");

/** What is wrong with a HOOKLINE_ name that leads to no key, and what may have been meant. */
function unknownName(name: string, at: (path: readonly string[]) => unknown): string {
  const parts = withoutFile(name).slice("HOOKLINE_".length).split("__");
  for (let length = parts.length - 1; length > 0; length -= 1) {
    const outer = `HOOKLINE_${parts.slice(0, length).join("__")}`;
    const path = findVariable(outer, at)?.path;
    const node = path === undefined ? undefined : nodeAt(configSchema, path);
    if (path === undefined || node === undefined) continue;
    if (objectNode(node)?.type !== "record") break;
    // Upper case cannot say how a new name is to be spelled.
    return `unknown name: ${path.join(".")} has no such name yet; set a new one as JSON in ${outer}`;
  }
  return `unknown name${nearestName(name)}`;
}

/** `, did you mean …?` for a HOOKLINE_ name that is none. */
function nearestName(name: string): string {
  const key = withoutFile(name);
  const rest = key.slice("HOOKLINE_".length);
  const short = envNames.get(rest);
  if (short !== undefined && short.rank !== "soketi") return `, did you mean ${rest}?`;
  const general = knownPaths(configSchema).map((path) => `HOOKLINE_${path.join("__").toUpperCase()}`);
  const ownNames = [...envNames].filter(([, { rank }]) => rank === "own").map(([own]) => own);
  const nearest = suggest(key, [...otherEnvNames, ...ownNames, ...general]);
  return nearest === null ? "" : `, did you mean ${nearest}?`;
}

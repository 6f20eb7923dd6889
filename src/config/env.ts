import { suggest } from "../suggest.ts";
import { admit } from "./admit.ts";
import { envNames, fallbackEnvNames, isServiceLink, otherEnvNames } from "./env-names.ts";
import { readTextFile } from "./file.ts";
import { configSchema } from "./schema.ts";
import { isObject } from "./layers.ts";
import { knownPaths, nodeAt, type SchemaNode } from "./schema-tree.ts";
import { resolvePath } from "./key-path.ts";
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
  readonly issues: readonly { readonly path: string; readonly name: string; readonly message: string }[];
  readonly warnings: readonly string[];
}

/** A variable that names a key. */
interface Variable {
  readonly name: string;
  readonly path: readonly string[];
  readonly isFallback: boolean;
}

/**
 * Everything the environment says (contract §2). Variables that are not ours are not even looked at, and
 * an empty one is not set.
 *
 * @param at What the file holds at a path: a name inside a map (`endpoints`, `headers`) is written in upper
 *           case in a variable, so it can only mean one that exists.
 */
export async function readEnv(env: Env, at: (path: readonly string[]) => unknown): Promise<EnvReading> {
  const issues: { path: string; name: string; message: string }[] = [];
  const links: string[] = [];
  const found: EnvSetting[] = [];
  const variables: Variable[] = [];

  for (const [name, value] of Object.entries(env)) {
    if (value === undefined || value === "" || otherEnvNames.has(name)) continue;
    const isOurs = name.startsWith("HOOKLINE_") || isCompatible(name);
    if (!isOurs) continue;
    if (isServiceLink(name, value)) {
      links.push(name);
      continue;
    }
    const variable = findVariable(name, at);
    if (variable !== null) variables.push(variable);
    else issues.push({ path: "", name, message: `unknown name${nearestName(name)}` });
  }

  for (const variable of dropFallbacks(variables)) {
    const { name, path } = variable;
    const pair = variables.find((other) => other.name === `${name}_FILE`);
    const joined = path.join(".");
    if (pair !== undefined) {
      issues.push({ path: joined, name, message: `${pair.name} is set too; unset one of them` });
    }
    const text = await textOf(variable, env[name] as string);
    if (!text.ok) {
      issues.push({ path: joined, name, message: text.message });
      continue;
    }
    const node = nodeAt(configSchema, path) as SchemaNode;
    const reading = readText(node, text.value);
    if (!reading.ok) {
      issues.push({ path: joined, name, message: reading.message });
      continue;
    }
    for (const duplicate of reading.duplicates) {
      issues.push({ path: [...path, ...duplicate].join("."), name, message: "this key stands twice" });
    }
    const value = admit(node, reading.value, path, (where, message) => {
      issues.push({ path: where.join("."), name, message });
    });
    found.push({ path, value, name });
  }

  const settings = found.sort(
    (left, right) =>
      left.path.length - right.path.length ||
      left.path.join(".").localeCompare(right.path.join("."), "en", { numeric: true }),
  );
  issues.push(...findConflicts(settings));
  const warnings =
    links.length === 0
      ? []
      : [`ignored ${links.sort().join(", ")}: set by Kubernetes for a Service, not meant for hookline`];
  return { settings, issues, warnings };
}

const withoutFile = (name: string): string =>
  name.endsWith("_FILE") ? name.slice(0, -"_FILE".length) : name;

function isCompatible(name: string): boolean {
  const key = withoutFile(name);
  return Object.hasOwn(envNames, key) || Object.hasOwn(fallbackEnvNames, key);
}

/** The key a name stands for; null when it stands for none. */
function findVariable(name: string, at: (path: readonly string[]) => unknown): Variable | null {
  const key = withoutFile(name);
  const isFallback = Object.hasOwn(fallbackEnvNames, key);
  const known = envNames[key] ?? fallbackEnvNames[key];
  if (known !== undefined && (isFallback || Object.hasOwn(envNames, key))) {
    return { name, path: known.split("."), isFallback };
  }
  if (!key.startsWith("HOOKLINE_")) return null;
  const parts = key.slice("HOOKLINE_".length).split("__");
  const path = resolvePath(parts, at, {
    separator: "__",
    isSame: (written, own) => written === own.toUpperCase().replace(/[^A-Z0-9]/g, "_"),
    takesNew: false,
  });
  return path === null ? null : { name, path, isFallback: false };
}

/** Without the fallbacks of keys that another variable sets. */
function dropFallbacks(variables: readonly Variable[]): Variable[] {
  return variables.filter(
    ({ isFallback, path }) =>
      !isFallback || !variables.some((other) => !other.isFallback && other.path.join(".") === path.join(".")),
  );
}

/** The variable's own text, or that of the file it names. */
async function textOf(
  variable: Variable,
  value: string,
): Promise<{ ok: true; value: string } | { ok: false; message: string }> {
  if (!variable.name.endsWith("_FILE")) return { ok: true, value };
  const file = await readTextFile(value);
  if (!file.ok) return { ok: false, message: file.message };
  // Editors and `echo` end a file with a line break that is no part of the secret.
  const text = file.text.replace(/\r?\n$/, "");
  return text === "" ? { ok: false, message: `${value} is empty` } : { ok: true, value: text };
}

/** Two variables that give one key different values, also where one of them gives a whole object. */
function findConflicts(settings: readonly EnvSetting[]): { path: string; name: string; message: string }[] {
  const leaves = new Map<string, { name: string; text: string }>();
  const conflicts = new Map<string, { path: string; name: string; message: string }>();
  const compare = (path: readonly string[], value: unknown, name: string): void => {
    const joined = path.join(".");
    const text = JSON.stringify(value);
    const other = leaves.get(joined);
    const pair = `${other?.name ?? ""} ${name}`;
    if (other === undefined) leaves.set(joined, { name, text });
    else if (other.text !== text && withoutFile(other.name) !== withoutFile(name) && !conflicts.has(pair)) {
      const message = `${other.name} sets the same key to another value; unset one of them`;
      conflicts.set(pair, { path: joined, name, message });
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

/** `, did you mean …?` for a HOOKLINE_ name that is none. */
function nearestName(name: string): string {
  const key = withoutFile(name);
  const rest = key.slice("HOOKLINE_".length);
  if (Object.hasOwn(envNames, rest) || Object.hasOwn(fallbackEnvNames, rest))
    return `, did you mean ${rest}?`;
  const general = knownPaths(configSchema).map((path) => `HOOKLINE_${path.join("__").toUpperCase()}`);
  const nearest = suggest(key, [...otherEnvNames, ...Object.keys(envNames), ...general]);
  return nearest === null ? "" : `, did you mean ${nearest}?`;
}

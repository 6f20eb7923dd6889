import { UsageError } from "../errors.ts";
import { admit, hint } from "./admit.ts";
import { resolvePath } from "./key-path.ts";
import type { Finding } from "./issues.ts";
import { isObject, type Layers } from "./layers.ts";
import { configSchema } from "./schema.ts";
import { isNullable, nodeAt, objectNode, type SchemaNode } from "./schema-tree.ts";
import { readText } from "./value-text.ts";

/** The flags that shape the configuration, as given. */
export interface ConfigArgs {
  /** `--config FILE`. */
  readonly config?: string;
  /** `--set path=value`, in order. */
  readonly sets: readonly string[];
  /** `--queue NAME`, in order. */
  readonly queues: readonly string[];
}

/**
 * Takes `--config`, `--set` and `--queue` (as `--flag value` or `--flag=value`) out of a command line and
 * leaves the rest to the command. What stands after `--` is left alone.
 *
 * @throws UsageError for a flag without a value, a second --config, or a --set without `=`.
 */
export function parseConfigFlags(args: readonly string[]): { args: ConfigArgs; rest: string[] } {
  const rest: string[] = [];
  const sets: string[] = [];
  const queues: string[] = [];
  let config: string | undefined;
  for (let index = 0; index < args.length; index += 1) {
    const arg = args[index] as string;
    if (arg === "--") {
      rest.push(...args.slice(index));
      break;
    }
    const [, name, inline] = /^--(config|set|queue)(?:=([\s\S]*))?$/.exec(arg) ?? [];
    if (name === undefined) {
      rest.push(arg);
      continue;
    }
    if (inline === undefined) index += 1;
    const value = inline ?? args[index];
    if (value === undefined || value === "" || (inline === undefined && value.startsWith("--"))) {
      throw new UsageError(`--${name} needs a value`);
    }
    if (name === "config") {
      if (config !== undefined) throw new UsageError("--config is given twice");
      config = value;
    } else if (name === "queue") {
      queues.push(value);
    } else {
      if (!/^[^=]+=/.test(value))
        throw new UsageError("--set: expected PATH=VALUE, as in queue.driver=redis");
      sets.push(value);
    }
  }
  return { args: { ...(config === undefined ? {} : { config }), sets, queues }, rest };
}

/** Merges the flags over everything else; returns what is wrong with them. */
export function applyFlags(args: ConfigArgs, layers: Layers): Finding[] {
  const findings: Finding[] = [];
  for (const set of args.sets) {
    const source = "flag --set";
    const report = (path: readonly string[], message: string): void =>
      void findings.push({ path, source, message });
    const equals = set.indexOf("=");
    applySet(set.slice(0, equals).trim(), set.slice(equals + 1), layers, source, report);
  }
  if (args.queues.length > 0) {
    layers.assign(["queue", "queues"], selectQueues(args.queues, layers), "flag --queue");
  }
  return findings;
}

function applySet(
  written: string,
  text: string,
  layers: Layers,
  source: string,
  report: (path: readonly string[], message: string) => void,
): void {
  const parts = written.split(".");
  const options = { separator: ".", isSame: (part: string, name: string) => part === name, takesNew: true };
  const path = resolvePath(parts, layers.at, options);
  if (path === null) {
    report(parts, `unknown key${hintFor(parts)}`);
    return;
  }
  const node = nodeAt(configSchema, path) as SchemaNode;
  const reading =
    text === "" && isNullable(node)
      ? { ok: true as const, value: null, duplicates: [] }
      : readText(node, text);
  if (!reading.ok) {
    report(path, reading.message);
    return;
  }
  for (const duplicate of reading.duplicates) report([...path, ...duplicate], "this key stands twice");
  const value = admit(node, reading.value, path, report);
  const problem = layers.assign(path, value, source);
  if (problem !== null) report(path, problem);
}

/** The first part that names nothing decides what was meant. */
function hintFor(parts: readonly string[]): string {
  let node: SchemaNode = configSchema;
  for (const [index, part] of parts.entries()) {
    const child = nodeAt(configSchema, parts.slice(0, index + 1));
    if (child === undefined) return hint(part, Object.keys(objectNode(node)?.entries ?? {}));
    node = child;
  }
  return "";
}

/** The named queues, each as the file or environment describes it, else as a plain one. */
function selectQueues(names: readonly string[], layers: Layers): unknown[] {
  const described = layers.at(["queue", "queues"]);
  const entries: unknown[] = Array.isArray(described) ? described : [];
  return names.map((name) => entries.find((entry) => isObject(entry) && entry["name"] === name) ?? name);
}

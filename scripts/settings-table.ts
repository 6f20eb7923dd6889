import { reloadKindAt } from "../src/config/reload-kind.ts";
import { configSchema } from "../src/config/schema.ts";
import {
  arrayNode,
  envMetadataOf,
  expectationOf,
  objectNode,
  secrecyOf,
  type SchemaNode,
} from "../src/config/schema-tree.ts";

const intro = `# Settings

Every key of the configuration, from the schema that checks it. Made by \`bun scripts/settings.ts\`; do not edit.

Each key also has a general name in the environment: \`HOOKLINE_\` + its path in upper case with \`__\` between the parts, as
in \`HOOKLINE_SERVER__PORT\`; after each name \`_FILE\` reads the value from a file. Names after "else" count where no other
sets the key. \`[]\` stands for an index, \`NAME\` for a name of your own. A key without a default may be left out, unless
"required" is said.
`;

/** docs/settings.md: a table for each part of the configuration. */
export function settingsPage(): string {
  const parts = Object.entries(childrenOf(configSchema)).map(([key, node]) => {
    const head = "| key | environment | default | value |\n|---|---|---|---|\n";
    return `## ${key}\n\n${head}${rowsOf(node, key).join("\n")}\n`;
  });
  return [intro, ...parts].join("\n");
}

const childrenOf = (node: SchemaNode): Readonly<Record<string, SchemaNode>> =>
  objectNode(node)?.entries ?? {};

/** The row of a key, and those of the keys below it. */
function rowsOf(node: SchemaNode, path: string): string[] {
  const item = arrayNode(node)?.item;
  const value = objectNode(node)?.value;
  const below =
    item !== undefined && objectNode(item) !== undefined
      ? rowsBelow(item, `${path}[]`)
      : value !== undefined && objectNode(value) !== undefined
        ? rowsBelow(value, `${path}.NAME`)
        : rowsBelow(node, path);
  const isBranch = below.length > 0 && item === undefined && value === undefined && defaultOf(node) === "{}";
  return isBranch ? below : [rowOf(node, path), ...below];
}

const rowsBelow = (node: SchemaNode, path: string): string[] =>
  Object.entries(childrenOf(node)).flatMap(([key, child]) => rowsOf(child, `${path}.${key}`));

function rowOf(node: SchemaNode, path: string): string {
  const names = envMetadataOf(node).map(([name, rank]) => `${rank === "own" ? "" : "else "}\`${name}\``);
  const secret = secrecyOf(node) === null ? null : "Secret.";
  const needsRestart = reloadKindAt(path.replaceAll("[]", ".0").split(".")) === "restart";
  const restart = needsRestart ? "A change needs a restart." : null;
  const value = [`${expectationOf(node)}.`, descriptionOf(node), secret, restart].filter(
    (text) => text !== null,
  );
  const cells = [`\`${path}\``, names.join(", "), defaultOf(node), value.join(" ")];
  return `|${cells.map((cell) => (cell === "" ? " " : ` ${cell.replaceAll("|", "\\|")} `)).join("|")}|`;
}

function defaultOf(node: SchemaNode): string {
  if (node.type !== "optional") return "required";
  const { default: value } = node as { default?: unknown };
  return value === undefined ? "" : JSON.stringify(value);
}

/** The description in the schema's pipe, in a pipe inside it, or in what it wraps. */
function descriptionOf(node: SchemaNode): string | null {
  const actions = (node.pipe ?? []) as readonly (SchemaNode & { readonly description?: string })[];
  const own = actions.find(({ type }) => type === "description")?.description;
  if (own !== undefined) return own;
  const inside = actions.filter((action) => action !== node && action.pipe !== undefined).map(descriptionOf);
  return (
    inside.find((one) => one !== null) ?? (node.wrapped === undefined ? null : descriptionOf(node.wrapped))
  );
}

import { admit } from "./admit.ts";
import { checkTree } from "./check-tree.ts";
import type { Finding } from "./issues.ts";
import { configSchema, type AppConfig, type EndpointConfig } from "./schema.ts";
import { showPath } from "./shown-path.ts";

/** One thing that is wrong with an app or endpoint: where in it, and what. */
export interface ReceiverIssue {
  /** As in `webhooks.1.url`; empty for the whole. */
  readonly path: string;
  readonly message: string;
}

/** What a check comes to; `settings` is what was sent, words of enumerations in the schema's own case. */
export type ReceiverChecked<Resolved> =
  | { readonly ok: true; readonly settings: Readonly<Record<string, unknown>>; readonly resolved: Resolved }
  | { readonly ok: false; readonly issues: readonly ReceiverIssue[] };

/** Checks apps and named endpoints that come from elsewhere than the configuration, as its own are checked. */
export interface ReceiverCheck {
  app(value: unknown): ReceiverChecked<AppConfig>;
  endpoint(name: string, value: unknown): ReceiverChecked<EndpointConfig>;
}

/** The parts of a configuration that what is said of a receiver depends on. */
const context = ["webhooks", "egress"];

/** @param tree The configuration as it was given, before its defaults. */
export function createReceiverCheck(tree: Readonly<Record<string, unknown>>): ReceiverCheck {
  const around = Object.fromEntries(
    context.flatMap((key) => (tree[key] === undefined ? [] : [[key, tree[key]]])),
  );

  const check = (part: Record<string, unknown>, at: readonly string[]) => {
    const findings: Finding[] = [];
    const admitted = admit(configSchema, part, [], (path, message) => findings.push({ path, message }));
    const checked = checkTree(
      { ...around, ...(admitted as Record<string, unknown>) },
      () => "default",
      findings,
    );
    // What is wrong around it was said at the start.
    const issues = [...findings, ...checked.findings].filter(({ path }) =>
      at.every((key, depth) => path[depth] === key),
    );
    const inside = `${at.join(".")}.`;
    return {
      config: issues.length === 0 ? checked.config : null,
      admitted: admitted as Record<string, Record<string, unknown>>,
      issues: issues.map(({ path, message }) => ({
        path: showPath(path.slice(at.length)),
        message: message.replaceAll(inside, ""),
      })),
    };
  };

  return {
    app(value) {
      const { config, admitted, issues } = check({ apps: [value] }, ["apps", "0"]);
      const resolved = config?.apps[0];
      if (resolved === undefined) return { ok: false, issues };
      return { ok: true, settings: admitted["apps"]?.["0"] as Record<string, unknown>, resolved };
    },
    endpoint(name, value) {
      const { config, admitted, issues } = check({ endpoints: { [name]: value } }, ["endpoints", name]);
      const resolved = config?.endpoints[name];
      if (resolved === undefined) return { ok: false, issues };
      return { ok: true, settings: admitted["endpoints"]?.[name] as Record<string, unknown>, resolved };
    },
  };
}

import { createHash } from "node:crypto";

/** The parts of a webhook that its name in 0.1 followed from. */
interface Named {
  readonly url?: string | null | undefined;
  readonly lambda_function?: string | undefined;
  readonly lambda?: { readonly function_name?: string | undefined } | null | undefined;
}

/** Name of the one webhook of an app that may be without a name of its own (contract §2). */
export const unnamedWebhook = "webhook";

/**
 * The name that 0.1 gave a webhook without one: host or function, `-`, and six hex of the SHA-256 of the URL (or
 * function) as written. Null where neither is given.
 *
 * Jobs and modes that 0.1 stored hold it; nothing new does, because it changes with every correction of the URL.
 */
export function formerWebhookName(webhook: Named): string | null {
  const target = webhook.url ?? webhook.lambda?.function_name ?? webhook.lambda_function;
  if (target === undefined) return null;
  const hash = createHash("sha256").update(target).digest("hex").slice(0, 6);
  const url = typeof webhook.url === "string" ? URL.parse(webhook.url) : null;
  return `${url?.hostname ?? target}-${hash}`;
}

/**
 * By which other name each of an app's webhooks is found; null where by none.
 *
 * A name that somebody chose counts before one that followed from a URL. Of several webhooks with one URL only the
 * unnamed one can have been called so, and where there is none, nobody inherits what may be another's.
 */
export function formerNames(
  webhooks: readonly (Named & { readonly name: string })[],
): readonly (string | null)[] {
  const names = new Set(webhooks.map(({ name }) => name));
  const formers = webhooks.map(formerWebhookName);
  return webhooks.map(({ name }, index) => {
    const former = formers[index] ?? null;
    if (former === null || names.has(former)) return null;
    const isOnly = formers.filter((other) => other === former).length === 1;
    return isOnly || name === unnamedWebhook ? former : null;
  });
}

/** A name for each of these webhooks: its former one, made fit for schema-apps.ts and unique among `taken`. */
export function proposeNames(webhooks: readonly Named[], taken: ReadonlySet<string>): readonly string[] {
  const used = new Set(taken);
  return webhooks.map((webhook) => {
    // An IPv6 address has brackets, a function's version a dollar sign.
    const former = (formerWebhookName(webhook) ?? "").replace(/[^A-Za-z0-9._:@-]/g, "").slice(-120);
    const base = former === "" ? unnamedWebhook : former;
    let name = base;
    for (let copy = 2; used.has(name); copy += 1) name = `${base}-${copy}`;
    used.add(name);
    return name;
  });
}

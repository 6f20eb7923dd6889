import { createHash } from "node:crypto";

/** The parts of a webhook that its default name follows from. */
interface Named {
  readonly url?: string | undefined;
  readonly lambda_function?: string | undefined;
  readonly lambda?: { readonly function_name?: string | undefined } | undefined;
}

/**
 * A webhook's name where none is given (contract §2): host or function, `-`, and six hex of the SHA-256 of
 * the URL (or function) as written. Stable over restarts, and says nothing of the URL's path or query.
 */
export function defaultWebhookName(webhook: Named): string {
  const target = webhook.url ?? webhook.lambda?.function_name ?? webhook.lambda_function ?? "";
  const hash = createHash("sha256").update(target).digest("hex").slice(0, 6);
  const url = webhook.url === undefined ? null : URL.parse(webhook.url);
  return `${url?.hostname ?? target}-${hash}`;
}

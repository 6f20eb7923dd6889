import type { CrossFindings } from "./cross-view.ts";
import { formerWebhookName, proposeNames, unnamedWebhook } from "./endpoint-name.ts";
import type { Loose } from "./holes.ts";
import type { ConfigInput } from "./schema.ts";
import { redactUrl } from "../secrets/url.ts";
import { checkUnique } from "./unique.ts";

type AppInput = NonNullable<NonNullable<Loose<ConfigInput>["apps"]>[number]>;
/** A webhook as the user wrote it, wrong parts left out. */
export type WebhookInput = NonNullable<NonNullable<AppInput["webhooks"]>[number]>;

/**
 * The names of one app's webhooks: unique, and at most one webhook without (contract §2).
 *
 * A name is what stored jobs and modes are found by. One that followed from a URL or a position would give a
 * receiver's jobs to nobody, or to another, when the configuration is corrected.
 */
export function checkWebhookNames(
  app: number,
  webhooks: readonly WebhookInput[],
  { issue }: CrossFindings,
): void {
  const unnamed = [...webhooks.keys()].filter((index) => !("name" in (webhooks[index] as WebhookInput)));
  const names = webhooks.map((webhook) =>
    "name" in webhook ? webhook.name : unnamed.length === 1 ? unnamedWebhook : undefined,
  );
  checkUnique(names, (index, earlier, name) => {
    const whose = unnamed[0] === earlier && unnamed.length === 1 ? ", which has no name of its own" : "";
    issue(
      ["apps", app, "webhooks", index, "name"],
      `"${name}" is the name of apps.${app}.webhooks.${earlier} too${whose}; give one another name`,
    );
  });
  if (unnamed.length < 2) return;
  const some = unnamed.map((index) => webhooks[index] as WebhookInput);
  const taken = new Set(names.filter((name) => name !== undefined));
  const proposals = proposeNames(some, taken);
  for (const [at, index] of unnamed.entries()) {
    const webhook = some[at] as WebhookInput;
    const proposal = proposals[at] as string;
    issue(
      ["apps", app, "webhooks", index],
      `has no name, and only one webhook of an app may be without; here ${unnamed.length} are. If this was the only one until now, leave it; else ${advice(webhook, proposal)}`,
    );
  }
}

function advice(webhook: WebhookInput, proposal: string): string {
  const target = describeTarget(webhook);
  if (target === null) return "give it one";
  const stays =
    proposal === formerWebhookName(webhook) ? ", as 0.1 called it: what it stored stays with it" : "";
  return `for ${target} add "name": "${proposal}"${stays}`;
}

/** As much of a webhook's target as may be shown; null where that is missing or wrong. */
function describeTarget(webhook: WebhookInput): string | null {
  if (webhook.url !== undefined) return redactUrl(webhook.url, "url");
  return webhook.lambda?.function_name ?? webhook.lambda_function ?? null;
}

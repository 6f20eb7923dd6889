import { showInLine } from "../terminal.ts";
import type { DemoDelivery } from "./receiver.ts";

/** The app of the demo. Its secret is no secret: it is printed, so that a newcomer can compute the signature. */
export const demoApp = { id: "demo", key: "demo-key", secret: "demo-secret" } as const;

/** One event of each of this field's types. */
export const demoEvents: readonly Readonly<Record<string, string>>[] = [
  { name: "channel_occupied", channel: "presence-lobby" },
  { name: "member_added", channel: "presence-lobby", user_id: "alice" },
  { name: "client_event", channel: "presence-lobby", event: "client-typing", data: '{"user":"alice"}' },
  { name: "cache_miss", channel: "cache-scores" },
  { name: "member_removed", channel: "presence-lobby", user_id: "alice" },
  { name: "channel_vacated", channel: "presence-lobby" },
];

/** What is running, and how events are posted. */
export function introduction(version: string, serverUrl: string, receiverUrl: string): string {
  const body = JSON.stringify({ events: [demoEvents[0]] });
  return `hookline ${version} demo: memory driver, everything on this machine, nothing is kept

  server    ${serverUrl}
  receiver  ${receiverUrl}  checks each signature; fails once, on purpose
  app       id ${demoApp.id}, key ${demoApp.key}, secret ${demoApp.secret}

Posting ${demoEvents.length} events, as in:
  curl ${serverUrl}/v1/apps/${demoApp.id}/events \\
    -H 'content-type: application/json' -d '${body}'

What the receiver gets:
`;
}

/** One delivery on one line. */
export function deliveryLine({ events, attempt, webhookId, status, isVerified }: DemoDelivery): string {
  const names = events
    .map(({ name, channel }) => `${showInLine(name).padEnd(17)} ${showInLine(channel).padEnd(15)}`)
    .join(" + ");
  const what = !isVerified ? "REFUSED " : status === 200 ? "verified" : "fails   ";
  const note =
    status === 503 ? "answered 503, tried again" : `webhook-id ${showInLine(webhookId.slice(0, 8))}…`;
  return `  ${what}  ${names} attempt ${attempt}  ${note}\n`;
}

/** What happened, how it was verified, and what to do next. */
export function conclusion(verified: number, retried: number): string {
  return `
${verified} deliveries verified, ${retried} of them after a retry. The check, in any language:
  hex(HMAC-SHA256(secret, raw body)) = header x-pusher-signature
  (npm's pusher does it: new Pusher({ … }).webhook({ headers, rawBody }).isValid())

Your own receiver: put this into hookline.json and run \`hookline serve\`
  { "apps": [{ "id": "shop", "key": "shop-key", "secret": "change-me", "webhooks": [
      { "url": "https://example.com/hook", "event_types": ["member_added", "member_removed"] } ] }] }
`;
}

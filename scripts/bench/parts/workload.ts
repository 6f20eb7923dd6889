import { createHash } from "node:crypto";

/** What a benchmark sends: the apps of a configuration, jobs, and the deliveries that come of them. */
export interface Workload {
  readonly name: "plain" | "mixed";
  /** For a reader of the table. */
  readonly title: string;
  readonly apps: readonly object[];
  /** Whether deliveries carry the Standard Webhooks signature too. */
  readonly isSignedTwice: boolean;
  /** The app and payload text of job `n`, and how many deliveries come of it. */
  job(n: number): { readonly app: number; readonly payload: string; readonly deliveries: number };
  /** Deliveries that come of the first `jobs` jobs. */
  deliveriesOf(jobs: number): number;
}

/** Of every app. */
export const appSecret = "bench-secret-of-32-characters-xx";
export const standardSecret = `whsec_${Buffer.from("bench-key-of-32-characters-xxxxx").toString("base64")}`;
export const appId = (n: number): string => `app-${n}`;
export const appKey = (n: number): string => `key-${n}`;

/** @param sentAt Epoch ms that the receiver counts the latency from, as text. */
export const plainPayload = (sentAt = "0"): string =>
  `{"time_ms":1763740800000,"events":[{"name":"client_event","channel":"presence-room-4711","event":"client-message","socket_id":"1234.5678","sent_at":"${sentAt}","data":"{\\"text\\":\\"The quick brown fox jumps over the lazy dog, again and again.\\"}"}]}`;

/** One webhook that takes all, bodies of 260 bytes, Pusher's signature. */
function plain(receiverUrl: string): Workload {
  const payload = plainPayload();
  return {
    name: "plain",
    title: "one webhook, 260 bytes",
    apps: [
      {
        id: appId(0),
        key: appKey(0),
        secret: appSecret,
        webhooks: [{ name: "hook", url: `${receiverUrl}/hook`, event_types: ["client_event"] }],
      },
    ],
    isSignedTwice: false,
    job: () => ({ app: 0, payload, deliveries: 1 }),
    deliveriesOf: (jobs) => jobs,
  };
}

const mixedApps = 50;

/**
 * 50 apps with four webhooks each; two of each four take only every other job. Bodies of 2 KB with non-ASCII text, signed
 * both ways.
 */
function mixed(receiverUrl: string): Workload {
  const webhook = (name: string, filter: object): object => ({
    name,
    url: `${receiverUrl}/${name}`,
    event_types: ["client_event"],
    filter,
    signing: "both",
    signing_keys: [{ key: standardSecret }],
  });
  const data = "Grüße aus Köln, 東京 und Αθήνα: the quick brown fox jumps over the lazy dog. ".repeat(22);
  const payloads = ["even", "odd"].map((kind) =>
    JSON.stringify({
      time_ms: 1763740800000,
      events: [{ name: "client_event", channel: `${kind}-room`, event: "message", data }],
    }),
  );
  return {
    name: "mixed",
    title: "200 webhooks of 50 apps, some with filters, 2 KB not ASCII, signed both ways",
    apps: Array.from({ length: mixedApps }, (_, n) => ({
      id: appId(n),
      key: appKey(n),
      secret: appSecret,
      webhooks: [
        webhook(`all-${n}-a`, {}),
        webhook(`all-${n}-b`, {}),
        webhook(`even-${n}-a`, { channel_prefix: "even-" }),
        webhook(`even-${n}-b`, { channel_prefix: "even-" }),
      ],
    })),
    isSignedTwice: true,
    job(n) {
      const round = Math.floor(n / mixedApps);
      return {
        app: n % mixedApps,
        payload: payloads[round % 2] as string,
        deliveries: round % 2 === 0 ? 4 : 2,
      };
    },
    deliveriesOf(jobs) {
      let sum = 0;
      for (let n = 0; n < jobs; n += 1) sum += this.job(n).deliveries;
      return sum;
    },
  };
}

export const createWorkload = (name: Workload["name"], receiverUrl: string): Workload =>
  name === "plain" ? plain(receiverUrl) : mixed(receiverUrl);

/** A job as Sockudo writes it into its list. */
export function sockudoText(app: number, payload: string, label: string): string {
  return `{"app_key":"${appKey(app)}","app_id":"${appId(app)}","app_secret":"${appSecret}","payload":${payload},"original_signature":"${label}"}`;
}

/** Another text for each job, so that none is the repetition of another. */
export const labelOf = (n: number): string => createHash("sha1").update(String(n)).digest("hex").slice(0, 12);

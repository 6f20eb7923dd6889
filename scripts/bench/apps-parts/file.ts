import { createHash } from "node:crypto";

/** Settings of a webhook: what everybody has, or a header and a signing key of its own besides. */
export type Shape = "plain" | "full";

const digest = (text: string): Buffer => createHash("sha256").update(text).digest();

/** A hookline.json with so many apps, three webhooks each; every secret is another one. */
export function fileOfApps(count: number, shape: Shape, more: object): string {
  const apps = Array.from({ length: count }, (_, app) => ({
    id: `app-${app}`,
    key: digest(`key ${app}`).toString("hex").slice(0, 20),
    secret: digest(`secret ${app}`).toString("hex"),
    webhooks: ["orders", "members", "channels"].map((name) => webhookOf(`${app} ${name}`, name, shape)),
  }));
  return JSON.stringify({ ...more, apps }, null, 2);
}

function webhookOf(seed: string, name: string, shape: Shape): object {
  const token = digest(seed).toString("base64url");
  return {
    name,
    url: `https://hooks-${seed.split(" ")[0]}.example.com/services/${token.slice(0, 9)}/${token.slice(9, 33)}`,
    event_types: ["channel_occupied", "channel_vacated", "member_added"],
    ...(shape === "plain"
      ? {}
      : {
          headers: { Authorization: `Bearer ${token}` },
          signing: "both",
          signing_keys: [{ key: `whsec_${digest(`${seed} key`).toString("base64")}` }],
        }),
  };
}

import { expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import Pusher from "pusher";
import { signPusher } from "../../src/delivery/sign.ts";

const bodies = [
  "",
  "{}",
  '{"time_ms":1,"events":[{"name":"é😀","n":12345678901234567890}]}',
  "x".repeat(100_000),
];

test.each(bodies)("body %# gets the hex HMAC-SHA256 of its UTF-8", (body) => {
  for (const secret of ["app-secret", "é", "x".repeat(200)]) {
    const expected = createHmac("sha256", Buffer.from(secret)).update(Buffer.from(body)).digest("hex");
    expect(signPusher(secret, body)).toBe(expected);
    expect(signPusher(secret, new TextEncoder().encode(body))).toBe(expected);
    // The second time the key is at hand.
    expect(signPusher(secret, body)).toBe(expected);
  }
});

test("npm's pusher accepts what is signed, and refuses one changed byte", () => {
  const pusher = new Pusher({ appId: "app-1", key: "app-key", secret: "app-secret", cluster: "none" });
  const rawBody = '{"time_ms":1.0,"events":[{"name":"channel_occupied","channel":"é"}]}';
  const headers = {
    "x-pusher-key": "app-key",
    "x-pusher-signature": signPusher("app-secret", rawBody),
    "content-type": "application/json",
  };
  expect(pusher.webhook({ headers, rawBody }).isValid()).toBe(true);
  expect(pusher.webhook({ headers, rawBody: rawBody.replace("1.0", "1") }).isValid()).toBe(false);
});

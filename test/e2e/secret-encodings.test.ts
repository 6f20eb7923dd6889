import { expect, test } from "bun:test";
import { startExecutable } from "../support/executable.ts";
import { answer, startReceiver } from "../support/receiver.ts";
import { startRedis } from "../support/redis-server.ts";
import { until } from "../support/until.ts";

// A secret is masked in every encoding that hookline makes: here of bodies that are no UTF-8 (contract §1.8).

const secret = "Geheimnis-Ä-99";

test("a secret in a body that is not UTF-8 is masked in dead letters, before and after an attempt", async () => {
  await using redis = await startRedis();
  await using receiver = await startReceiver();
  receiver.behave((request) => answer(404, { body: request.body }));
  const raw = { name: "raw", endpoint: "billing" };
  const queue = { driver: "redis", redis: { url_override: redis.url }, queues: [raw, "webhooks"] };
  await using server = await startExecutable({
    queue,
    log: { level: "debug" },
    endpoints: { billing: { url: receiver.url, headers: { "x-key": secret }, signing: "none" } },
  });
  const bodies = [Buffer.from(secret, "utf8"), Buffer.from(secret, "latin1")].flatMap((bytes) =>
    ["", "a", "ab"].map((before) =>
      Buffer.concat([Buffer.from([0xff]), Buffer.from(before), bytes, Buffer.from([0xfe, 0x21])]),
    ),
  );
  await redis.client.rpush("sockudo_queue:queue:raw", ...bodies);
  // Where no raw queue is, the same bytes are malformed, and kept as they are.
  await redis.client.rpush("sockudo_queue:queue:webhooks", ...bodies);
  const listed: { body?: string; body_base64?: string }[] = [];
  for (const name of ["raw", "webhooks"]) {
    const count = bodies.length;
    await until(async () => (await server.stats(name))["dead"] === count, {
      what: `${count} dead in ${name}`,
    });
    const page = await server.api("GET", `/v1/queues/${name}/dead`);
    listed.push(...page.body.items.map(({ job }: { job: object }) => job));
  }
  expect(listed).toHaveLength(2 * bodies.length);
  for (const { body, body_base64: base64 } of listed) {
    // A raw job that was tried stands in its envelope, whose content is base64.
    const content = base64 ?? (JSON.parse(body ?? "") as { content: string }).content;
    const bytes = Buffer.from(content, "base64");
    expect(bytes.toString("latin1")).toMatch(/^\u00ff(?:a|ab)?\*\*\*\u00fe!$/);
    expect([bytes.toString("utf8"), bytes.toString("latin1")].join()).not.toContain("eheimnis");
  }
  const attempts = await server.api("GET", "/v1/endpoints/-/billing/attempts");
  for (const text of [server.output(), attempts.text]) {
    expect(text).not.toContain("eheimnis");
    for (const bytes of bodies) expect(text).not.toContain(bytes.toString("base64").slice(0, 16));
  }
  expect(await server.stop()).toBe(0);
}, 120_000);

import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runExecutable, startExecutable, token } from "../support/executable.ts";
import { answer, redirect, startReceiver } from "../support/receiver.ts";
import { findSecrets, secret } from "../support/secrets.ts";
import { app, jobsFrom } from "./scenario.ts";

// The harness refuses a secret in anything an executable writes or answers; these tests bring secrets to
// every place where one can stand, and then make the program talk.

const signingKey = `whsec_${Buffer.from(secret("signing").slice(0, 32)).toString("base64")}`;

/** A URL with a secret in each part that may hold one. */
function secretUrl(scheme: string, host: string): string {
  return `${scheme}://${secret("user")}:${secret("password")}@${host}/hooks/${secret("path")}?key=${secret("query")}`;
}

/** A configuration with a secret in every place; deliveries go to a receiver on this port. */
function configWithSecrets(port: number): object {
  const event_types = ["channel_occupied"];
  const headers = { "x-api-key": secret("header"), "x-session": `Bearer ${secret("bearer")}` };
  return {
    log: { level: "debug" },
    server: { token },
    queue: {
      driver: "memory",
      redis: { url_override: `redis://${secret("redisuser")}:${secret("redispassword")}@127.0.0.1:1/0` },
      redis_cluster: { nodes: [`redis://:${secret("clusterpassword")}@127.0.0.1:1`] },
      sqs: { client_options: { accessKeyId: secret("accesskey"), secretAccessKey: secret("secretaccess") } },
    },
    database: { redis: { password: secret("dbpassword"), sentinel_password: secret("sentinel") } },
    webhooks: { request_timeout_ms: 300, retry: { max_attempts: 2, initial_backoff_ms: 10 } },
    supervisor: { allow_crash: true },
    apps: [
      {
        ...app,
        previous_secrets: [secret("previous")],
        webhooks: [
          { name: "answering", url: secretUrl("http", `127.0.0.1:${port}`), event_types, headers },
          { name: "refusing", url: secretUrl("http", "127.0.0.1:9"), event_types, headers },
          { name: "unresolvable", url: secretUrl("http", "nobody.invalid"), event_types, headers },
          { name: "no-tls", url: secretUrl("https", `127.0.0.1:${port}`), event_types, headers },
          // Without a name: the default one is made of the URL.
          { url: `http://127.0.0.1:${port}/other/${secret("path")}`, event_types },
        ],
      },
    ],
    endpoints: {
      signed: {
        url: secretUrl("http", `127.0.0.1:${port}`),
        signing: "standard",
        signing_keys: [{ key: signingKey }],
      },
    },
  };
}

test("the search finds a secret in every spelling that could leak", () => {
  for (const text of [
    app.secret,
    app.key,
    token,
    signingKey,
    `x${secret("a").toLowerCase()}y`,
    "…app-secret…",
  ]) {
    expect(findSecrets(`before ${text} after`)).not.toEqual([]);
  }
  expect(findSecrets("nothing of the kind")).toEqual([]);
});

test("whatever happens, no secret is in the log, an answer, an error or a metric", async () => {
  // The receiver knows the secrets it was sent, and sends them back wherever it can.
  const receiver = await startReceiver({
    behaviour: ({ path, headers }, n) => {
      const key = headers["x-api-key"] ?? "none";
      const locations = [
        `http://127.0.0.1:9${path}`,
        `https://${key}.example/`,
        `https://${key.replaceAll(/./g, (letter) => `%${letter.charCodeAt(0).toString(16)}`)}.example/`,
        `https://${"x".repeat(250 - (n % 7))}${key}/`,
      ];
      const location = locations[(n >> 1) % locations.length];
      return n % 2 === 0 ? redirect(302, location as string) : answer(400, { body: path });
    },
  });
  try {
    await using server = await startExecutable(configWithSecrets(receiver.port));
    const jobs = "/v1/queues/webhooks/jobs";
    await server.enqueue("webhooks", jobsFrom(0, 5));
    const payload = { time_ms: 1, events: [{ name: "channel_occupied", channel: "room-1" }] };
    const sockudo = {
      app_id: app.id,
      app_key: app.key,
      app_secret: app.secret,
      payload,
      original_signature: "s",
    };
    await server.api("POST", jobs, [sockudo, { ...sockudo, app_id: secret("unknown") }]);
    await server.api("POST", jobs, `{"app_id":"x","app_secret":"${app.secret}","payload":`);
    await server.api("POST", jobs, [{ app_secret: app.secret, nonsense: [app.key] }, app.secret]);
    await server.api("POST", `/v1/queues/${app.secret}/jobs`, sockudo);
    await server.api("POST", `/v1/apps/${app.key}/events`, { events: [{ name: app.secret, channel: 5 }] });
    await server.api("GET", `/v1/nowhere/${app.secret}?key=${app.key}`);
    await server.api("DELETE", `/v1/queues/webhooks/dead/${token}`);
    await server.api("GET", "/health", undefined, { authorization: `Bearer ${secret("wrong")}` });
    await server.api("GET", "/v1/queues", undefined, { authorization: `Bearer ${secret("wrong")}` });
    await server.untilIdle();
    const { workers } = (await server.api("GET", "/v1/workers")).body as { workers: { id: string }[] };
    await server.api("POST", `/v1/workers/${workers[0]!.id}/crash`);
    const paths = [
      "/health",
      "/metrics",
      "/v1/config",
      "/v1/queues",
      "/v1/workers",
      "/v1/queues/webhooks/dead",
    ];
    for (const path of paths) expect((await server.api("GET", path)).status).toBe(200);
    const { items } = (await server.api("GET", "/v1/queues/webhooks/dead")).body as { items: unknown[] };
    expect(items.length).toBeGreaterThan(20);
    const listed = await runExecutable(["dead", "ls", "webhooks", "--url", server.url], {
      env: { HOOKLINE_TOKEN: token },
    });
    expect(listed.code).toBe(0);
    expect(await server.stop()).toBe(0);
    // The receiver did get what it needs, so that the silence above is worth something.
    expect(receiver.requests.some((request) => findSecrets(request.path).length > 0)).toBe(true);
    expect(server.output()).toContain("refusing");
  } finally {
    await receiver.close();
  }
});

test("config check and print say what is wrong without quoting a secret", async () => {
  const directory = mkdtempSync(join(tmpdir(), "hookline-secrets-"));
  const file = join(directory, "hookline.json");
  const tokenFile = join(directory, "token");
  const good = configWithSecrets(9);
  const withWebhook = (webhook: object): object => ({ apps: [{ ...app, webhooks: [webhook] }] });
  const webhook = { name: "main", url: secretUrl("http", "127.0.0.1:9"), event_types: ["x"] };
  const bad: Record<string, object | string> = {
    "secret of the wrong type": { apps: [{ ...app, secret: [secret("array")], webhooks: [] }] },
    "key as an object": { apps: [{ ...app, key: { nested: secret("object") }, webhooks: [] }] },
    "url of the wrong scheme": withWebhook({ ...webhook, url: secretUrl("ftp", "host.test") }),
    "url that is none": withWebhook({ ...webhook, url: `http//${secret("broken")}` }),
    "reserved header": withWebhook({ ...webhook, headers: { "x-pusher-key": secret("header") } }),
    "header with a line break": withWebhook({ ...webhook, headers: { a: `x\r\n${secret("header")}` } }),
    "duplicate keys": { apps: [{ ...app }, { ...app, id: "other" }] },
    "token with a space": { server: { token: `a ${secret("token")}` } },
    "redis url": { queue: { redis: { url_override: `http://${secret("redis")}@h` } } },
    "signing key": {
      endpoints: { a: { url: "http://h/", signing_keys: [{ key: `whsec_!${secret("key")}` }] } },
    },
    "unknown key beside a secret": { server: { tokn: secret("token") } },
    "client option": {
      queue: { driver: "sqs", sqs: { client_options: { secretAccesKey: secret("access") } } },
    },
    "text after a secret": `{"server":{"token":"${secret("token")}" "port":1}}`,
    "unfinished secret": `{"server":{"token":"${secret("token")}`,
  };
  try {
    for (const [name, content] of Object.entries(bad)) {
      writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content));
      // The SQS driver itself checks what its client takes, when it is made.
      const commands =
        name === "client option" ? [["serve"]] : [["config", "check"], ["config", "print"], ["serve"]];
      for (const command of commands) {
        const { code } = await runExecutable([...command, "--config", file]);
        expect({ name, code }).toEqual({ name, code: 78 });
      }
    }
    writeFileSync(file, JSON.stringify(good));
    writeFileSync(tokenFile, `${secret("tokenfile")}\n`);
    expect((await runExecutable(["config", "print", "--config", file])).code).toBe(0);
    expect((await runExecutable(["config", "print", "--json", "--config", file])).code).toBe(0);
    const environments = [
      { HOOKLINE_TOKEN: secret("one"), HOOKLINE_SERVER__TOKEN: secret("two") },
      { HOOKLINE_TOKEN: secret("one"), HOOKLINE_TOKEN_FILE: tokenFile },
      { HOOKLINE_APPS: `[{"id":"a","secret":"${secret("env")}"` },
      { QUEUE_REDIS_URL: secret("noscheme") },
      { HOOKLINE_TOKN: secret("typo") },
    ];
    for (const env of environments) {
      const { code } = await runExecutable(["config", "check"], { env, cwd: directory });
      expect({ env: Object.keys(env), code }).toEqual({ env: Object.keys(env), code: 78 });
    }
    for (const set of [`server.token=a ${secret("set")}`, `apps.0.secrt=${secret("set")}`]) {
      expect((await runExecutable(["config", "check", "--set", set], { cwd: directory })).code).toBe(78);
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}, 240_000);

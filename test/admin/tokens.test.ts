import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { ConfigInput } from "../../src/config/schema.ts";
import { app1, startAdmin, type Admin } from "./start-admin.ts";

type TokenInput = NonNullable<NonNullable<ConfigInput["server"]>["tokens"]>[number];

const secretOf = (name: string): string => `${name}-token-0123456789`;
const tokenNamed = (name: string, over: Partial<TokenInput> = {}): TokenInput => ({
  name,
  token: secretOf(name),
  scope: "operate",
  ...over,
});

const scopes = ["read", "enqueue", "operate"] as const;

/** Every route, and the scopes beside `operate` that may use it. A new route is entered here. */
const rights: Readonly<Record<string, readonly string[]>> = {
  "GET /v1/token": ["read", "enqueue"],
  "POST /v1/queues/:queue/jobs": ["enqueue"],
  "POST /v1/apps/:app/events": ["enqueue"],
  "GET /v1/config": ["read"],
  "GET /v1/processes": ["read"],
  "GET /v1/problems": ["read"],
  "GET /v1/deliveries": ["read"],
  "GET /v1/deliveries/:id": ["read"],
  "POST /v1/deliveries/:id/resend": [],
  "POST /v1/deliveries/resend": [],
  "GET /v1/queues": ["read"],
  "GET /v1/queues/:queue": ["read"],
  "GET /v1/queues/:queue/dead": ["read"],
  "GET /v1/queues/:queue/jobs": ["read"],
  "POST /v1/queues/:queue/jobs/run": [],
  "POST /v1/queues/:queue/jobs/cancel": [],
  "GET /v1/jobs/:id": ["read"],
  "GET /v1/queues/:queue/dead/summary": ["read"],
  "GET /v1/workers": ["read"],
  "GET /v1/endpoints": ["read"],
  "GET /v1/endpoints/:app/:name": ["read"],
  "GET /v1/endpoints/:app/:name/attempts": ["read"],
  "GET /v1/apps": ["read"],
  "GET /v1/apps/:app": ["read"],
  // Each takes dry runs, which are read; anything else is refused by its handler.
  "PUT /v1/apps/:app": [],
  "PATCH /v1/apps/:app": [],
  "DELETE /v1/apps/:app": [],
  "PUT /v1/apps/:app/webhooks/:name": [],
  "PATCH /v1/apps/:app/webhooks/:name": [],
  "DELETE /v1/apps/:app/webhooks/:name": [],
  "PUT /v1/endpoints/:app/:name": [],
  "PATCH /v1/endpoints/:app/:name": [],
  "DELETE /v1/endpoints/:app/:name": [],
  "POST /v1/apps/:app/webhooks/:name/rotate-key": [],
  "POST /v1/endpoints/:app/:name/rotate-key": [],
  "POST /v1/encryption/reencrypt": [],
  "POST /v1/queues/:queue/pause": [],
  "POST /v1/queues/:queue/resume": [],
  "POST /v1/queues/:queue/dead/redrive": [],
  "POST /v1/queues/:queue/dead/remove": [],
  "GET /v1/operations": ["read"],
  "GET /v1/operations/:id": ["read"],
  "DELETE /v1/operations/:id": [],
  "DELETE /v1/queues/:queue/dead/:id": [],
  "POST /v1/endpoints/:app/:name/enable": [],
  "POST /v1/endpoints/:app/:name/disable": [],
  "POST /v1/endpoints/:app/:name/pause": [],
  "POST /v1/endpoints/:app/:name/resume": [],
  "POST /v1/endpoints/:app/:name/test": [],
  "POST /v1/config/reload": [],
  "POST /v1/workers/:id/restart": [],
  "POST /v1/workers/:id/crash": [],
  "POST /v1/workers/:id/stall": [],
  "POST /v1/workers/:queue/:name/restart": [],
  "POST /v1/workers/:queue/:name/crash": [],
  "POST /v1/workers/:queue/:name/stall": [],
};

/** Routes that a local client without a token may not use where none is configured. */
const neverWithoutToken = [
  "POST /v1/queues/:queue/dead/remove",
  "DELETE /v1/operations/:id",
  "DELETE /v1/queues/:queue/dead/:id",
  "POST /v1/workers/:id/crash",
  "POST /v1/workers/:id/stall",
  "POST /v1/workers/:queue/:name/crash",
  "POST /v1/workers/:queue/:name/stall",
  ...["PUT", "PATCH", "DELETE"].flatMap((method) => [
    `${method} /v1/apps/:app`,
    `${method} /v1/apps/:app/webhooks/:name`,
    `${method} /v1/endpoints/:app/:name`,
  ]),
  "POST /v1/apps/:app/webhooks/:name/rotate-key",
  "POST /v1/endpoints/:app/:name/rotate-key",
  "POST /v1/encryption/reencrypt",
];

const pathOf = (pattern: string): string =>
  pattern
    .replace(":queue", "webhooks")
    .replace(":app", "app-1")
    .replace(/:name(?=\/|$)/, "hook")
    .replace(":id", "x");

describe("what each scope may do", () => {
  let admin: Admin;
  beforeAll(async () => {
    admin = await startAdmin({
      config: { server: { tokens: scopes.map((scope) => tokenNamed(scope, { scope })) } },
    });
  });
  afterAll(() => admin.stop());

  /** Whether a token gets past the check of its rights, whatever comes then. */
  const isLet = async (route: string, name: string): Promise<boolean> => {
    const [method = "", pattern = ""] = route.split(" ");
    const response = await fetch(`${admin.url}${pathOf(pattern)}`, {
      method,
      headers: { authorization: `Bearer ${secretOf(name)}`, "content-type": "application/json" },
      ...(method === "GET" ? {} : { body: "{}" }),
    });
    const body = (await response.text()) || "{}";
    return (JSON.parse(body) as { code?: string }).code !== "forbidden";
  };

  test("the table names every route below /v1", () => {
    const served = admin.app.routes
      .filter(({ path }) => path.startsWith("/v1"))
      .map(({ method, path }) => `${method} ${path}`);
    expect(served.sort()).toEqual(Object.keys(rights).sort());
  });

  test("every route lets exactly its scopes through", async () => {
    const found: Record<string, string[]> = {};
    for (const route of Object.keys(rights)) {
      found[route] = [];
      for (const scope of scopes) if (await isLet(route, scope)) found[route].push(scope);
    }
    const expected = Object.entries(rights).map(([route, some]) => [route, [...some, "operate"]]);
    expect(found).toEqual(Object.fromEntries(expected));
  });

  test("as soon as one token is configured, nothing below /v1 goes without", async () => {
    for (const route of Object.keys(rights)) {
      const [method = "", pattern = ""] = route.split(" ");
      const response = await fetch(`${admin.url}${pathOf(pattern)}`, { method });
      expect({ route, status: response.status }).toEqual({ route, status: 401 });
    }
  });

  test("paths that no route has ask for a token too", async () => {
    const status = async (headers: Record<string, string>): Promise<number> =>
      (await fetch(`${admin.url}/v1/no-such-path`, { headers })).status;
    expect(await status({})).toBe(401);
    expect(await status({ authorization: `Bearer ${secretOf("enqueue")}` })).toBe(404);
  });

  test("GET /v1/token names the caller's own", async () => {
    const response = await fetch(`${admin.url}/v1/token`, {
      headers: { authorization: `Bearer ${secretOf("enqueue")}` },
    });
    expect(await response.json()).toEqual({ name: "enqueue", scope: "enqueue", apps: null, queues: null });
  });
});

test("without a token, what destroys or injects faults is refused, and a local client may do the rest", async () => {
  const admin = await startAdmin();
  try {
    const refused: string[] = [];
    for (const route of Object.keys(rights)) {
      const [method = "", pattern = ""] = route.split(" ");
      const response = await fetch(`${admin.url}${pathOf(pattern)}`, { method });
      const body = JSON.parse((await response.text()) || "{}") as { code?: string };
      if (body.code === "token_not_configured") refused.push(route);
    }
    expect(refused.sort()).toEqual([...neverWithoutToken].sort());
    expect(await (await admin.get("/v1/token")).json()).toMatchObject({ name: null, scope: "operate" });
  } finally {
    await admin.stop();
  }
});

test("server.token beside others is one of scope operate, named default", async () => {
  const admin = await startAdmin({
    config: { server: { token: "the-old-operator-token", tokens: [tokenNamed("new")] } },
  });
  try {
    const name = async (token: string): Promise<unknown> => {
      const response = await fetch(`${admin.url}/v1/token`, {
        headers: { authorization: `Bearer ${token}` },
      });
      return ((await response.json()) as { name?: string; code?: string }).name ?? response.status;
    };
    expect(await name("the-old-operator-token")).toBe("default");
    expect(await name(secretOf("new"))).toBe("new");
    // A rotation ends: the old one is refused from then on, on the same listener.
    admin.tokens.replace({ token: null, tokens: [{ ...tokenNamed("new"), apps: null, queues: null }] });
    expect(await name("the-old-operator-token")).toBe(401);
    expect(await name(secretOf("new"))).toBe("new");
  } finally {
    await admin.stop();
  }
});

describe("a token that is limited to some apps and queues", () => {
  let admin: Admin;
  beforeAll(async () => {
    admin = await startAdmin({
      config: {
        server: {
          token: "the-operator-of-this-test",
          tokens: [
            tokenNamed("app-2", { apps: ["app-2"] }),
            tokenNamed("named", { scope: "enqueue", apps: ["-"] }),
            tokenNamed("second", { queues: ["second"] }),
          ],
        },
        queue: { queues: ["webhooks", "second"] },
        apps: [app1, { ...app1, id: "app-2", key: "app-key-2", secret: "another-secret" }],
        endpoints: { billing: { url: "http://127.0.0.1:1/", signing: "none" } },
      },
    });
  });
  afterAll(() => admin.stop());

  const ask = (name: string, path: string, body?: unknown): Promise<Response> =>
    admin.request(path, {
      headers: { authorization: `Bearer ${secretOf(name)}` },
      ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }),
    });
  const job = (app: string) => ({ type: "order", data: {}, app_id: app });

  test("may name no other app in a path", async () => {
    expect((await ask("app-2", "/v1/endpoints/app-2/hook")).status).toBe(200);
    for (const path of ["/v1/endpoints/app-1/hook", "/v1/endpoints/-/billing", "/v1/endpoints/app-1/none"]) {
      expect({ path, status: (await ask("app-2", path)).status }).toEqual({ path, status: 403 });
    }
    expect((await ask("app-2", "/v1/apps/app-1/events", { events: [] })).status).toBe(403);
  });

  test("sees no other app's endpoints and no other queue in lists", async () => {
    const { endpoints } = (await (await ask("app-2", "/v1/endpoints")).json()) as {
      endpoints: { app: string }[];
    };
    expect(endpoints.map(({ app }) => app)).toEqual(["app-2"]);
    const { queues } = (await (await ask("second", "/v1/queues")).json()) as { queues: { name: string }[] };
    expect(queues.map(({ name }) => name)).toEqual(["second"]);
  });

  test("is refused what does not tell apps and queues apart", async () => {
    for (const path of ["/v1/config", "/v1/problems"]) {
      expect({ path, status: (await ask("app-2", path)).status }).toEqual({ path, status: 403 });
    }
    for (const path of ["/v1/queues/webhooks", "/v1/workers", "/v1/config"]) {
      expect({ path, status: (await ask("second", path)).status }).toEqual({ path, status: 403 });
    }
    expect((await ask("second", "/v1/apps/app-1/events", { events: [{ name: "x" }] })).status).toBe(403);
  });

  test("sends jobs of its apps only, by id or by key, and of none only with -", async () => {
    const codes = async (name: string, jobs: unknown[]): Promise<(string | undefined)[]> => {
      const response = await ask(name, "/v1/queues/webhooks/jobs", jobs);
      const body = (await response.json()) as { jobs: { status: string; error?: { code: string } }[] };
      return body.jobs.map(({ status, error }) => error?.code ?? status);
    };
    const byKey = (key: string) => ({
      app_key: key,
      app_secret: "x",
      payload: { time_ms: 1, events: [{ name: "channel_occupied", channel: "c" }] },
      original_signature: "label",
    });
    const named = { type: "order", data: {}, endpoint: "billing" };
    const all = [job("app-2"), job("app-1"), byKey("app-key-2"), byKey("app-key"), named];
    expect(await codes("app-2", all)).toEqual([
      "enqueued",
      "forbidden",
      "enqueued",
      "forbidden",
      "forbidden",
    ]);
    expect(await codes("named", [job("app-2"), named])).toEqual(["forbidden", "enqueued"]);
    expect((await ask("app-2", "/v1/queues/webhooks/jobs", job("app-1"))).status).toBe(403);
    expect((await ask("second", "/v1/queues/webhooks/jobs", job("app-1"))).status).toBe(403);
    expect((await ask("second", "/v1/queues/second/jobs", job("app-1"))).status).toBe(202);
  });
});

test("a dry run is read: who may only read gets its answer, and changes nothing", async () => {
  const admin = await startAdmin({
    config: {
      server: { tokens: [tokenNamed("reader", { scope: "read" }), tokenNamed("shop", { scope: "enqueue" })] },
    },
  });
  const put = async (name: string, query: string): Promise<number> => {
    const response = await admin.request(`/v1/apps/new${query}`, {
      method: "PUT",
      headers: { authorization: `Bearer ${secretOf(name)}` },
      body: JSON.stringify({ key: "k", secret: "s" }),
    });
    return response.status;
  };
  try {
    expect(await put("reader", "?dry_run=true")).toBe(200);
    expect(await put("reader", "")).toBe(403);
    expect(await put("reader", "?dry_run=false")).toBe(403);
    expect(await put("shop", "?dry_run=true")).toBe(403);
    expect(admin.live.directory.findApp("new", null)).toBeNull();
  } finally {
    await admin.stop();
  }
});

test("each request that changes something leaves a line with who, how and what", async () => {
  const admin = await startAdmin({
    config: { server: { tokens: [tokenNamed("olga"), tokenNamed("reader", { scope: "read" })] } },
  });
  const changes = () =>
    admin.logged
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter(({ msg }) => msg === "changed")
      .map(({ token, route, object }) => ({ token, route, object }));
  const ask = (name: string, method: string, path: string, body?: unknown): Promise<Response> =>
    admin.request(path, {
      method,
      headers: { authorization: `Bearer ${secretOf(name)}` },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  try {
    await ask("olga", "POST", "/v1/queues/webhooks/pause");
    await ask("olga", "POST", "/v1/endpoints/app-1/hook/disable");
    await ask("olga", "GET", "/v1/queues");
    await ask("olga", "DELETE", "/v1/queues/webhooks/dead/none");
    await ask("olga", "POST", "/v1/queues/webhooks/jobs", { type: "x", data: 1, app_id: "app-1" });
    await ask("reader", "POST", "/v1/queues/webhooks/resume");
    expect(changes()).toEqual([
      { token: "olga", route: "POST /v1/queues/:queue/pause", object: "webhooks" },
      { token: "olga", route: "POST /v1/endpoints/:app/:name/disable", object: "app-1/hook" },
    ]);
  } finally {
    await admin.stop();
  }
});

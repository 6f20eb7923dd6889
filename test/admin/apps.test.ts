import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { startAdmin, token, type Admin } from "./start-admin.ts";

let admin: Admin;
beforeAll(async () => {
  admin = await startAdmin({
    config: {
      server: { token },
      endpoints: { billing: { url: "http://127.0.0.1:1/", signing: "none" } },
    },
  });
});
afterAll(() => admin.stop());
beforeEach(async () => {
  for (const id of ["shop", "other", "third"]) await send("DELETE", `/v1/apps/${id}`);
  for (const name of ["orders", "more"]) await send("DELETE", `/v1/endpoints/-/${name}`);
});

type Body = Record<string, unknown>;

async function send(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: Body; etag: string | null }> {
  const init = body === undefined ? { method, headers } : { method, headers, body: JSON.stringify(body) };
  const response = await admin.request(path, init);
  const text = await response.text();
  return {
    status: response.status,
    body: text === "" ? {} : (JSON.parse(text) as Body),
    etag: response.headers.get("etag"),
  };
}

const webhook = (name: string, over: Body = {}): Body => ({
  name,
  url: `https://receiver.example/hooks/${name}-secret-path`,
  event_types: ["order.created"],
  ...over,
});
const shop: Body = {
  key: "shop-key-1234",
  secret: "shop-secret-1234",
  webhooks: [webhook("main", { headers: { authorization: "Bearer shop-header-1234" } })],
};
const stored = () => admin.live.directory.findApp("shop", null);

describe("an app over the API", () => {
  test("is put in force at once, shown without secrets, changed, and removed", async () => {
    const made = await send("PUT", "/v1/apps/shop", shop);
    expect(made).toMatchObject({
      status: 201,
      body: { id: "shop", key: "***", secret: "***", source: "api" },
    });
    const text = JSON.stringify(made.body);
    for (const secret of ["shop-key-1234", "shop-secret-1234", "shop-header-1234", "secret-path"]) {
      expect(text).not.toContain(secret);
    }
    expect(stored()).toMatchObject({ id: "shop", secret: "shop-secret-1234" });
    expect(admin.live.directory.findApp(null, "shop-key-1234")?.id).toBe("shop");
    const got = await send("GET", "/v1/apps/shop");
    expect(got.body).toEqual(made.body);
    expect(got.etag).toBe(made.etag as string);
    expect(got.etag).toBe(`"${String(got.body["revision"])}"`);

    const again = await send("PUT", "/v1/apps/shop", {
      ...shop,
      webhooks: [webhook("main"), webhook("second")],
    });
    expect(again.status).toBe(200);
    expect(stored()?.endpoints.map(({ label }) => label)).toEqual(["shop/main", "shop/second"]);

    expect((await send("DELETE", "/v1/apps/shop")).status).toBe(204);
    expect(stored()).toBeNull();
    expect((await send("GET", "/v1/apps/shop")).body["code"]).toBe("no_such_app");
    expect((await send("DELETE", "/v1/apps/shop")).body["code"]).toBe("no_such_app");
  });

  test("a PUT that changes nothing changes nothing", async () => {
    const { etag } = await send("PUT", "/v1/apps/shop", shop);
    expect(await send("PUT", "/v1/apps/shop", shop)).toMatchObject({ status: 200, etag });
  });

  test("takes events as soon as the PUT is answered", async () => {
    await send("PUT", "/v1/apps/shop", shop);
    const { status, body } = await send("POST", "/v1/apps/shop/events", {
      events: [{ name: "order.created", data: 1 }],
    });
    expect({ status, events: body["events"] }).toEqual({
      status: 202,
      events: [{ name: "order.created", webhooks: 1 }],
    });
  });

  test("a secret left out of a PUT stays; what was shown of it is refused", async () => {
    await send("PUT", "/v1/apps/shop", shop);
    const { key: _key, secret: _secret, ...rest } = shop;
    const { headers: _headers, url: _url, ...hook } = (shop["webhooks"] as Body[])[0] as Body;
    await send("PUT", "/v1/apps/shop", { ...rest, webhooks: [{ ...hook, concurrency: 3 }] });
    const [endpoint] = stored()?.endpoints ?? [];
    expect(stored()).toMatchObject({ key: "shop-key-1234", secret: "shop-secret-1234" });
    expect(endpoint).toMatchObject({
      limits: { concurrency: 3 },
      headers: [["authorization", "Bearer shop-header-1234"]],
    });
    expect(JSON.stringify(endpoint?.target)).toContain("main-secret-path");

    const shown = (await send("GET", "/v1/apps/shop")).body;
    const refused = await send("PUT", "/v1/apps/shop", shown);
    expect(refused).toMatchObject({ status: 422, body: { code: "masked_value" } });
    const paths = (refused.body["errors"] as { path: string }[]).map(({ path }) => path);
    expect(paths).toEqual(
      expect.arrayContaining(["key", "secret", "webhooks.0.url", "webhooks.0.headers.authorization"]),
    );
    expect(stored()?.secret).toBe("shop-secret-1234");
  });

  test("PATCH merges as RFC 7396 says, also under its own media type", async () => {
    await send("PUT", "/v1/apps/shop", { ...shop, previous_secrets: ["older-secret-12"] });
    const patched = await send(
      "PATCH",
      "/v1/apps/shop",
      { secret: "shop-secret-5678", previous_secrets: null, accept: ["native"] },
      { "content-type": "application/merge-patch+json" },
    );
    expect(patched.status).toBe(200);
    expect(stored()).toMatchObject({ secret: "shop-secret-5678", previousSecrets: [], key: "shop-key-1234" });
    expect([...(stored()?.accept ?? [])]).toEqual(["native"]);
    expect((await send("PATCH", "/v1/apps/none", {})).body["code"]).toBe("no_such_app");
    const other = await send("PUT", "/v1/apps/shop", shop, {
      "content-type": "application/merge-patch+json",
    });
    expect(other.status).toBe(415);
  });

  test("is checked like the file, and everything that is wrong is listed with its path", async () => {
    const { status, body } = await send("PUT", "/v1/apps/shop", {
      key: 5,
      webhooks: [
        webhook("a", { url: "ftp://x/secret-1234" }),
        webhook("a"),
        { url: "https://x.example/", nope: 1 },
      ],
    });
    expect({ status, code: body["code"] }).toEqual({ status: 422, code: "invalid_settings" });
    const errors = body["errors"] as { path: string; message: string }[];
    expect(errors.map(({ path }) => path).sort()).toEqual(
      expect.arrayContaining(["key", "secret", "webhooks.0.url", "webhooks.1.name", "webhooks.2.nope"]),
    );
    expect(JSON.stringify(body)).not.toContain("secret-1234");
    expect(stored()).toBeNull();
    for (const bad of [[], null, "x", 5]) {
      expect((await send("PUT", "/v1/apps/shop", bad)).status).toBe(422);
    }
    expect((await send("PUT", "/v1/apps/a%20b", shop)).body["code"]).toBe("invalid_settings");
    expect((await send("PUT", "/v1/apps/shop", { ...shop, id: "other" })).body["code"]).toBe(
      "invalid_settings",
    );
  });

  test("ids and keys are unique over the configuration and what is stored", async () => {
    for (const method of ["PUT", "PATCH", "DELETE"]) {
      const { status, body } = await send(method, "/v1/apps/app-1", method === "DELETE" ? undefined : shop);
      expect({ method, status, code: body["code"] }).toEqual({
        method,
        status: 409,
        code: "defined_in_file",
      });
    }
    await send("PUT", "/v1/apps/shop", shop);
    for (const key of ["shop-key-1234", "app-key"]) {
      const { body } = await send("PUT", "/v1/apps/other", { ...shop, key });
      expect(body).toMatchObject({ code: "invalid_settings", errors: [{ path: "key" }] });
    }
    expect((await send("PUT", "/v1/apps/shop", { ...shop, key: "shop-key-5678" })).status).toBe(200);
    expect((await send("PUT", "/v1/apps/other", shop)).status).toBe(201);
    expect(admin.live.directory.findApp(null, "shop-key-1234")?.id).toBe("other");
    expect(admin.live.directory.findApp(null, "shop-key-5678")?.id).toBe("shop");
  });

  test("If-Match and If-None-Match are held against what is there in the writing step", async () => {
    const { etag } = await send("PUT", "/v1/apps/shop", shop, { "if-none-match": "*" });
    expect((await send("PUT", "/v1/apps/shop", shop, { "if-none-match": "*" })).status).toBe(412);
    expect(
      (await send("PUT", "/v1/apps/other", { ...shop, key: "k-other" }, { "if-match": "*" })).status,
    ).toBe(412);
    const tag = { "if-match": etag as string };
    const both = await Promise.all(
      [1, 2, 3, 4].map((n) => send("PATCH", "/v1/apps/shop", { secret: `s-${n}` }, tag)),
    );
    expect(both.map(({ status }) => String(status)).sort()).toEqual(["200", "412", "412", "412"]);
    const now = both.find(({ status }) => status === 200);
    expect((await send("DELETE", "/v1/apps/shop", undefined, tag)).status).toBe(412);
    const headers = { "if-none-match": `"1", ${now?.etag}` };
    expect((await send("GET", "/v1/apps/shop", undefined, headers)).status).toBe(304);
    expect(
      (await send("DELETE", "/v1/apps/shop", undefined, { "if-match": now?.etag as string })).status,
    ).toBe(204);
  });

  test("a dry run answers as if, and stores and logs nothing", async () => {
    const lines = admin.logged.length;
    const made = await send("PUT", "/v1/apps/shop?dry_run=true", shop);
    expect(made).toMatchObject({ status: 200, body: { id: "shop", secret: "***", dry_run: true } });
    expect((await send("PUT", "/v1/apps/shop?dry_run=true", {})).status).toBe(422);
    expect(stored()).toBeNull();
    expect(admin.logged.slice(lines).filter((line) => line.includes('"changed"'))).toEqual([]);
  });

  test("the list has those of the configuration and those that are stored, in pages", async () => {
    for (const id of ["shop", "other"]) await send("PUT", `/v1/apps/${id}`, { ...shop, key: `key-of-${id}` });
    const seen: unknown[] = [];
    for (let path = "/v1/apps?limit=1"; ;) {
      const { apps, cursor } = (await send("GET", path)).body as { apps: Body[]; cursor: string | null };
      seen.push(...apps.map(({ id, source }) => [id, source]));
      if (cursor === null) break;
      path = `/v1/apps?limit=1&cursor=${cursor}`;
    }
    expect(seen).toEqual([
      ["app-1", "configuration"],
      ["other", "api"],
      ["shop", "api"],
    ]);
  });
});

describe("a webhook of a stored app", () => {
  test("is put, patched and removed by its name; the others stay", async () => {
    await send("PUT", "/v1/apps/shop", shop);
    const put = await send("PUT", "/v1/apps/shop/webhooks/second", webhook("second"));
    expect(put).toMatchObject({ status: 200, body: { id: "shop" } });
    await send("PATCH", "/v1/apps/shop/webhooks/main", { concurrency: 7 });
    expect(stored()?.endpoints.map(({ name, limits }) => [name, limits.concurrency])).toEqual([
      ["main", 7],
      ["second", null],
    ]);
    expect(stored()?.endpoints[0]?.headers).toEqual([["authorization", "Bearer shop-header-1234"]]);
    expect((await send("DELETE", "/v1/apps/shop/webhooks/main")).status).toBe(200);
    expect(stored()?.endpoints.map(({ name }) => name)).toEqual(["second"]);
    expect((await send("DELETE", "/v1/apps/shop/webhooks/main")).body["code"]).toBe("unknown_endpoint");
    expect((await send("PATCH", "/v1/apps/shop/webhooks/main", {})).body["code"]).toBe("unknown_endpoint");
    expect((await send("PUT", "/v1/apps/none/webhooks/main", webhook("main"))).body["code"]).toBe(
      "no_such_app",
    );
    const renamed = await send("PUT", "/v1/apps/shop/webhooks/second", webhook("third"));
    expect(renamed.body["code"]).toBe("invalid_settings");
  });

  test("gets a new signing key, and the old ones an end", async () => {
    await send("PUT", "/v1/apps/shop", shop);
    const first = await send("POST", "/v1/apps/shop/webhooks/main/rotate-key");
    expect(first.status).toBe(200);
    expect(first.body["key"]).toStartWith("whsec_");
    expect(stored()?.endpoints[0]?.pusher).not.toBeNull();
    const notAfter = "2099-01-01T00:00:00Z";
    await send("POST", "/v1/apps/shop/webhooks/main/rotate-key", { not_after: notAfter });
    expect(stored()?.endpoints[0]?.standardKeys?.map(({ notAfter: end }) => end)).toEqual([
      null,
      Date.parse(notAfter),
    ]);
    const wrong = await send("POST", "/v1/apps/shop/webhooks/main/rotate-key", { not_after: "tomorrow" });
    expect(wrong.body["code"]).toBe("invalid_body");
    expect((await send("POST", "/v1/apps/shop/webhooks/none/rotate-key")).status).toBe(404);
    expect((await send("POST", "/v1/apps/app-1/webhooks/hook/rotate-key")).status).toBe(409);
  });
});

describe("a named endpoint", () => {
  test("is put, shown with the others, patched, given a new key, and removed", async () => {
    const url = "https://orders.example/in/secret-path";
    expect((await send("PUT", "/v1/endpoints/-/orders", { url })).status).toBe(201);
    expect(admin.live.directory.findEndpoint(null, "orders")).toMatchObject({ label: "orders" });
    expect((await send("GET", "/v1/endpoints/-/orders")).status).toBe(200);
    await send("PATCH", "/v1/endpoints/-/orders", { concurrency: 2 });
    expect(admin.live.directory.findEndpoint(null, "orders")?.limits.concurrency).toBe(2);
    expect((await send("POST", "/v1/endpoints/-/orders/rotate-key")).body["key"]).toStartWith("whsec_");
    expect((await send("DELETE", "/v1/endpoints/-/orders")).status).toBe(204);
    expect(admin.live.directory.findEndpoint(null, "orders")).toBeNull();
    expect((await send("DELETE", "/v1/endpoints/-/orders")).status).toBe(404);
    expect((await send("PUT", "/v1/endpoints/-/billing", { url })).body["code"]).toBe("defined_in_file");
    expect((await send("PUT", "/v1/endpoints/-/orders", {})).body["code"]).toBe("invalid_settings");
    expect((await send("PUT", "/v1/endpoints/shop/main", { url })).status).toBe(404);
  });
});

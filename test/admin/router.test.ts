import { describe, expect, test } from "bun:test";
import { RequestError } from "../../src/admin/request-error.ts";
import { route, type Route } from "../../src/admin/route.ts";
import { createRouter } from "../../src/admin/router.ts";

const at = (path: string, method: Route["method"] = "GET"): Route =>
  route({
    method,
    path,
    access: "open",
    about: () => ({ id: path, summary: "Is only found", answers: {} }),
    handle: () => ({ status: 200, headers: {}, body: null }),
  });

const find = createRouter([
  at("/health"),
  at("/v1/queues"),
  at("/v1/queues/:queue"),
  at("/v1/queues/:queue/dead"),
  at("/v1/queues/:queue/dead/redrive", "POST"),
  at("/v1/queues/:queue/dead/:id", "DELETE"),
  at("/v1/workers/:id/restart", "POST"),
  at("/v1/workers/:queue/:name/restart", "POST"),
]);

/** The pattern that a path leads to, and its parameters. */
async function led(path: string): Promise<[string, Record<string, string>] | null> {
  const match = await find(path);
  return match === null ? null : [match.routes.path, { ...match.params }];
}

describe("a path", () => {
  test("leads to its routes, with what stands in the places of the parameters", async () => {
    expect(await led("/health")).toEqual(["/health", {}]);
    expect(await led("/v1/queues/mail/dead")).toEqual(["/v1/queues/:queue/dead", { queue: "mail" }]);
    expect(await led("/v1/workers/mail/loop-1/restart")).toEqual([
      "/v1/workers/:queue/:name/restart",
      { queue: "mail", name: "loop-1" },
    ]);
  });

  test("leads there again and again, also after thousands of others", async () => {
    for (let n = 0; n < 2_500; n += 1) {
      expect(await led(`/v1/queues/q${n}`)).toEqual(["/v1/queues/:queue", { queue: `q${n}` }]);
      expect(await led("/v1/queues/mail/dead")).toEqual(["/v1/queues/:queue/dead", { queue: "mail" }]);
      expect(await led("/nowhere")).toBeNull();
    }
  });

  test("whose segment is written out goes before a parameter, and back where it leads nowhere", async () => {
    expect(await led("/v1/queues/q/dead/redrive").then((one) => one?.[0])).toBe(
      "/v1/queues/:queue/dead/redrive",
    );
    expect(await led("/v1/queues/q/dead/x")).toEqual(["/v1/queues/:queue/dead/:id", { queue: "q", id: "x" }]);
    expect(await led("/v1/workers/restart/restart")).toEqual(["/v1/workers/:id/restart", { id: "restart" }]);
    expect(await led("/v1/workers/restart/restart/restart").then((one) => one?.[0])).toBe(
      "/v1/workers/:queue/:name/restart",
    );
  });

  test("is compared decoded, and an encoded slash stays within its segment", async () => {
    expect(await led("/v1/%71ueues/a%20b")).toEqual(["/v1/queues/:queue", { queue: "a b" }]);
    expect(await led("/v1/workers/mail%2Floop-1/restart")).toEqual([
      "/v1/workers/:id/restart",
      { id: "mail/loop-1" },
    ]);
    expect(await led("/v1%2Fqueues")).toBeNull();
    for (const path of ["/v1/queues/%zz", "/v1/queues/%ff", "/%", "/v1/%e2%82"]) {
      expect(find(path)).rejects.toBeInstanceOf(RequestError);
    }
  });

  test("that is longer, shorter, empty in a segment or otherwise spelled leads nowhere", async () => {
    for (const path of [
      "",
      "/",
      "/v1",
      "/v1/",
      "/v1/queues/",
      "/v1//queues",
      "//v1/queues",
      "/V1/queues",
      "/v1/queues/../queues",
      "/v1/queues/a/dead/b/c",
      `/v1/queues${"/a".repeat(10_000)}`,
      "/__proto__",
      "/v1/queues/a/constructor",
    ]) {
      expect([path, await led(path)]).toEqual([path, null]);
    }
  });

  test("may hold names that every object has", async () => {
    expect(await led("/v1/queues/__proto__")).toEqual(["/v1/queues/:queue", { queue: "__proto__" }]);
  });
});

test("the methods of a path are those of its routes", async () => {
  const match = await createRouter([at("/a/:x"), at("/a/:x", "DELETE")])("/a/b");
  expect([...(match?.routes.byMethod.keys() ?? [])]).toEqual(["GET", "DELETE"]);
});

import { describe, expect, test } from "bun:test";
import { createLayers } from "../../src/config/layers.ts";

describe("who gave a value", () => {
  const layers = createLayers();
  layers.assign([], { server: { host: "h", port: 1 }, apps: [{ id: "a", tls: {} }], egress: {} }, "file");
  layers.assign(["server", "port"], 2, "env P");
  layers.assign(["apps", "0", "key"], "k", "env K");
  layers.assign(["egress", "deny"], ["a", "b"], "flag");

  test.each([
    ["server.host", "file"],
    ["server.port", "env P"],
    ["apps.0.id", "file"],
    ["apps.0.key", "env K"],
    // What an object does not hold, or an empty one, is a default.
    ["server.token", "default"],
    ["apps.0.secret", "default"],
    ["apps.0.tls.ca", "default"],
    ["apps.0.tls", "file"],
    ["server", "default"],
    ["egress.deny.1", "flag"],
    ["egress.allow", "default"],
  ])("%s: %s", (path, source) => {
    expect(layers.sourceOf(path.split("."))).toBe(source);
  });

  test("around what is missing it is who gave the object", () => {
    expect(layers.sourceAround(["apps", "0", "secret"])).toBe("file");
    expect(layers.sourceAround(["nothing", "here"])).toBe("default");
  });

  test("what replaces an object takes all that stood in it", () => {
    const own = createLayers();
    own.assign([], { a: { b: [1, 2] } }, "file");
    own.assign(["a", "b"], [3], "env");
    expect([own.sourceOf(["a", "b", "0"]), own.sourceOf(["a", "b", "1"])]).toEqual(["env", "default"]);
    own.assign(["a"], 5, "flag");
    expect(own.sourceOf(["a", "b"])).toBe("flag");
  });
});

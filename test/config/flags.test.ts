import { describe, expect, test } from "bun:test";
import { parseConfigFlags } from "../../src/config/flags.ts";
import { app, issuesOf, load } from "./support.ts";

describe("parseConfigFlags", () => {
  test("takes its own flags in both spellings and leaves the rest in order", () => {
    const { args, rest } = parseConfigFlags([
      "a",
      "--config=f.json",
      "--set",
      "x.y=1=2",
      "--json",
      "--set=z=",
      "--queue",
      "q1",
      "--queue=q2",
      "b",
    ]);
    expect(args).toEqual({ config: "f.json", sets: ["x.y=1=2", "z="], queues: ["q1", "q2"] });
    expect(rest).toEqual(["a", "--json", "b"]);
  });

  test("leaves alone what stands after --", () => {
    expect(parseConfigFlags(["--", "--config", "x"])).toEqual({
      args: { sets: [], queues: [] },
      rest: ["--", "--config", "x"],
    });
  });

  test.each([
    [["--config"], "--config needs a value"],
    [["--config="], "--config needs a value"],
    [["--queue", "--set", "a=b"], "--queue needs a value"],
    [["--config", "a", "--config=b"], "--config is given twice"],
    [["--set", "server.port"], "--set: expected PATH=VALUE, as in queue.driver=redis"],
    [["--set", "=5"], "--set: expected PATH=VALUE, as in queue.driver=redis"],
  ])("%j is a usage error", (args, message) => {
    expect(() => parseConfigFlags(args)).toThrow(message);
  });
});

describe("--set", () => {
  const valueOf = async (set: string, file: unknown = null): Promise<unknown> => {
    const { config } = await load(file, { sets: [set] });
    const path = set.slice(0, set.indexOf("=")).split(".");
    return path.reduce<unknown>((value, key) => (value as Record<string, unknown>)[key], config);
  };

  test.each<[set: string, value: unknown]>([
    ["server.port=81", 81],
    ["queue.consume=off", false],
    ["queue.driver=NONE", "none"],
    ["server.token=123456", "123456"],
    ["server.token=a=b", "a=b"],
    ["server.token=", null],
    ["queue.redis.url_override=", null],
    ["webhooks.retry.schedule_ms=[1,2]", [1, 2]],
    ["webhooks.retry.schedule_ms=standard", "standard"],
    ["webhooks.retry.max_age_ms=null", null],
    ['queue.sqs.client_options={"maxRetries":3}', { maxRetries: 3 }],
    ["queue.sqs.client_options.maxRetries=3", 3],
    ["queue.sqs.client_options.accessKeyId=AKIA", "AKIA"],
    ["egress.deny=10.0.0.0/8,internal", ["10.0.0.0/8", "internal"]],
  ])("%s", async (set, value) => {
    expect(await valueOf(set)).toEqual(value);
  });

  test("reaches into arrays and maps, names with dots included", async () => {
    const file = {
      apps: [app({ webhooks: [{ url: "http://a.test", event_types: ["x"] }] })],
      endpoints: { "a.b": { url: "http://b.test" } },
    };
    const sets = [
      "apps.0.webhooks.0.url=http://c.test",
      "endpoints.a.b.url=http://d.test",
      "endpoints.new.url=http://e.test",
      "apps.0.webhooks.0.headers.X-Key=123",
    ];
    const { config } = await load(file, { sets });
    expect(config.apps[0]?.webhooks[0]).toMatchObject({ url: "http://c.test", headers: { "X-Key": "123" } });
    expect(Object.entries(config.endpoints).map(([name, { url }]) => [name, url])).toEqual([
      ["a.b", "http://d.test"],
      ["new", "http://e.test"],
    ]);
  });

  test("the last one of a key wins", async () => {
    expect((await load(null, { sets: ["server.port=1", "server.port=2"] })).config.server.port).toBe(2);
  });

  test.each([
    ["server.port=five", 'server.port (flag --set): expected an integer from 0 to 65535, got "five"'],
    ["sever.port=5", 'sever.port (flag --set): unknown key, did you mean "server"?'],
    ["server.prot=5", 'server.prot (flag --set): unknown key, did you mean "port"?'],
    ["server.port.x=5", "server.port.x (flag --set): unknown key"],
    ["apps=[{]", "apps (flag --set): not JSON: expected a key in double quotes (at character 3)"],
    ['server={"port":1,"x":2}', "server.x (flag --set): unknown key"],
    [
      "server.token=a b",
      "server.token (flag --set): expected visible ASCII without spaces, got a string of 3 characters",
    ],
  ])("%s is an issue", async (set, line) => {
    expect(await issuesOf(null, { sets: [set] })).toEqual([line]);
  });
});

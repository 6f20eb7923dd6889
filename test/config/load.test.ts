import { describe, expect, test } from "bun:test";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfig } from "../../src/config/load.ts";
import { app, appWith, inDirectory, issuesOf, load } from "./support.ts";

describe("precedence", () => {
  test("defaults < file < environment < flags", async () => {
    const file = { server: { host: "10.0.0.1", port: 1, max_body_bytes: 11 } };
    const loaded = await load(file, {
      env: { HOOKLINE_PORT: "2", QUEUE_DRIVER: "none" },
      sets: ["server.port=3"],
    });
    expect(loaded.config.server).toEqual({
      host: "10.0.0.1",
      port: 3,
      token: null,
      tokens: [],
      encryption_key: null,
      previous_encryption_keys: [],
      max_body_bytes: 11,
      dashboard: true,
    });
    expect(loaded.sourceOf("server.host")).toBe("file hookline.json");
    expect(loaded.sourceOf("server.port")).toBe("flag --set");
    expect(loaded.sourceOf("server.token")).toBe("default");
    expect(loaded.sourceOf("queue.driver")).toBe("env QUEUE_DRIVER");
    expect(loaded.file).toBe("hookline.json");
  });

  test("objects merge deeply, arrays replace", async () => {
    const file = {
      queue: { queues: ["a", "b"], redis: { concurrency: 7, prefix: "p:" } },
      endpoints: { one: { url: "http://one.test" } },
    };
    const env = {
      HOOKLINE_QUEUE: '{"redis":{"prefix":"q:"},"queues":["c"]}',
      HOOKLINE_ENDPOINTS: '{"two":{"url":"http://two.test"}}',
    };
    const { config } = await load(file, { env });
    expect(config.queue.redis).toMatchObject({ concurrency: 7, prefix: "q:" });
    expect(config.queue.queues.map(({ name }) => name)).toEqual(["c"]);
    expect(Object.keys(config.endpoints)).toEqual(["one", "two"]);
  });

  test("a finer name wins over the object around it, and elements of arrays can be set one by one", async () => {
    const env = { HOOKLINE_APPS__0__SECRET: "from-env", HOOKLINE_APPS__1__ID: "app-2" };
    const sets = ["apps.1.key=k2", "apps.1.secret=s2", "apps.1.webhooks=[]"];
    const loaded = await load({ apps: [app()] }, { env, sets });
    expect(loaded.config.apps.map(({ id, secret }) => [id, secret])).toEqual([
      ["app-1", "from-env"],
      ["app-2", "s2"],
    ]);
    expect(loaded.sourceOf("apps.0.id")).toBe("file hookline.json");
    expect(loaded.sourceOf("apps.0.secret")).toBe("env HOOKLINE_APPS__0__SECRET");
    expect(loaded.sourceOf("apps.0.accept")).toBe("default");
  });

  test("an index that leaves a gap is an error", async () => {
    expect(await issuesOf({ apps: [app()] }, { sets: ["apps.2.id=x"] })).toEqual([
      "apps.2.id (flag --set): apps has 1 element: the next is apps.1",
    ]);
  });

  test("log.format is pretty on a terminal, unless somebody says otherwise", async () => {
    expect((await load(null)).config.log.format).toBe("json");
    expect((await load(null, { isTerminal: true })).config.log.format).toBe("pretty");
    expect((await load({ log: { format: "json" } }, { isTerminal: true })).config.log.format).toBe("json");
  });
});

describe("the file", () => {
  const options = (cwd: string, config?: string, env: Record<string, string> = {}) => ({
    args: { ...(config === undefined ? {} : { config }), sets: [], queues: [] },
    env,
    cwd,
  });
  const messageOf = async (loading: Promise<unknown>): Promise<string> => {
    const error = await loading.then(
      () => null,
      (reason: unknown) => reason,
    );
    return error instanceof Error ? error.message : "loaded";
  };

  test("--config wins over $HOOKLINE_CONFIG, which wins over ./hookline.json; names are relative to the directory", () =>
    inDirectory(async (cwd) => {
      for (const [name, port] of [
        ["hookline", 1],
        ["env", 2],
        ["flag", 3],
      ] as const) {
        await writeFile(join(cwd, `${name}.json`), `{"server":{"port":${port}}}`);
      }
      const env = { HOOKLINE_CONFIG: "env.json" };
      expect((await loadConfig(options(cwd))).config.server.port).toBe(1);
      expect((await loadConfig(options(cwd, undefined, env))).config.server.port).toBe(2);
      expect((await loadConfig(options(cwd, "flag.json", env))).config.server.port).toBe(3);
      expect((await loadConfig(options("/", join(cwd, "flag.json")))).file).toBe(join(cwd, "flag.json"));
    }));

  test("no file at all is fine; one that was named must be there", () =>
    inDirectory(async (cwd) => {
      const loaded = await loadConfig(options(cwd, undefined, { HOOKLINE_CONFIG: "" }));
      expect(loaded.file).toBeNull();
      const missing = `cannot read ${join(cwd, "x.json")}: no such file`;
      expect(await messageOf(loadConfig(options(cwd, "x.json")))).toBe(`(flag --config): ${missing}`);
      expect(await messageOf(loadConfig(options(cwd, undefined, { HOOKLINE_CONFIG: "x.json" })))).toBe(
        `(env HOOKLINE_CONFIG): ${missing}`,
      );
    }));

  test("a directory is named as one, also as ./hookline.json", () =>
    inDirectory(async (cwd) => {
      await mkdir(join(cwd, "hookline.json"));
      expect(await messageOf(loadConfig(options(cwd)))).toBe(
        `(file hookline.json): cannot read ${join(cwd, "hookline.json")}: it is a directory`,
      );
    }));

  test("a file that is there and cannot be read is no missing file", () =>
    inDirectory(async (cwd) => {
      // Root may read everything; a link that leads to itself cannot be read by anybody.
      await symlink("hookline.json", join(cwd, "hookline.json"));
      expect(await messageOf(loadConfig(options(cwd)))).toBe(
        `(file hookline.json): cannot read ${join(cwd, "hookline.json")}: its symbolic links lead in a circle`,
      );
    }));

  test.each([
    ["a byte that starts nothing", [0x7b, 0x7d, 0xff, 0x20], 2],
    ["the first byte", [0xff, 0xfe, 0x7b, 0x00], 0],
    ["a character cut off by the end", [0x7b, 0x7d, 0xe2, 0x82], 3],
    ["a sequence broken off by another character", [0x22, 0xc3, 0x22], 2],
  ])("bytes that are not UTF-8 are named by their offset: %s", (_, bytes, offset) =>
    inDirectory(async (cwd) => {
      await writeFile(join(cwd, "hookline.json"), new Uint8Array(bytes));
      expect(await messageOf(loadConfig(options(cwd)))).toBe(
        `(file hookline.json): ${join(cwd, "hookline.json")} is not UTF-8: the byte at offset ${offset} is wrong`,
      );
    }),
  );

  test("a byte order mark and $schema at the top are no errors", async () => {
    const { config } = await load(
      `\u{feff}${JSON.stringify({ $schema: "./schema.json", server: { port: 1 } })}`,
    );
    expect(config.server.port).toBe(1);
    expect(await issuesOf({ server: { $schema: "x" } })).toEqual([
      "server.$schema (file hookline.json): unknown key",
    ]);
  });

  test("a JSON error gives line and column, and no secret of its line", async () => {
    const text =
      '{\n  "server": { "port": 1 },\n  "apps": [{ "id": "a", "secret": hunter2, "key": "pass word" }]\n}';
    expect(await issuesOf(text)).toEqual([
      '(file hookline.json): line 3, column 35: expected a value in: "apps": [{ "id": "***", "secret": ***, "key": "***" }]',
    ]);
  });

  test("a file that is no object, or empty, says so", async () => {
    expect(await issuesOf("[1]")).toEqual(["(file hookline.json): expected an object, as in { … }"]);
    expect(await issuesOf("")).toEqual([
      "(file hookline.json): line 1, column 1: the text ends where a value should stand",
    ]);
  });

  test("a key that stands twice is an error, since one of the two would be ignored", async () => {
    expect(await issuesOf('{"server":{"port":1,"port":2}}')).toEqual([
      "server.port (file hookline.json): this key stands twice in its object",
    ]);
  });
});

describe("all issues at once", () => {
  test("of file, environment, flags, schema and contradictions", async () => {
    const file = {
      server: { port: 70_000, tokn: "x" },
      queue: { redis: { concurrency: "five" } },
      apps: [
        app(),
        app({ webhooks: [{ event_types: ["a"] }, { name: "b", url: "ftp://x.test", event_types: ["a"] }] }),
      ],
    };
    const issues = await issuesOf(file, { env: { HOOKLINE_SERVER_HOST: "x" }, sets: ["nothing.here=1"] });
    expect(issues).toEqual([
      'server.tokn (file hookline.json): unknown key, did you mean "token"?',
      "(env HOOKLINE_SERVER_HOST): unknown name, did you mean HOOKLINE_SERVER__HOST?",
      "nothing.here (flag --set): unknown key",
      "server.port (file hookline.json): expected an integer from 0 to 65535, got 70000",
      'queue.redis.concurrency (file hookline.json): expected an integer of at least 1, got "five"',
      "apps.1.webhooks.1.url (file hookline.json): expected an http:// or https:// URL, got a string of 12 characters that begins with ftp://",
      "apps.1.webhooks.0 (file hookline.json): needs url, lambda_function or lambda: where should deliveries go?",
      'apps.1.id (file hookline.json): "app-1" is the id of apps.0 too; ids must be unique',
      "apps.1.key (file hookline.json): is the key of apps.0 too; keys must be unique",
    ]);
  });
});

describe("names that reach into JavaScript", () => {
  test.each(["__proto__", "constructor", "prototype", "toString", "hasOwnProperty"])(
    "%s is an unknown key and changes no prototype",
    async (name) => {
      const text = `{"${name}":{"polluted":1},"server":{"${name}":{"polluted":1}}}`;
      const lines = await issuesOf(text);
      expect(lines).toEqual([
        expect.stringContaining(`${name} (file hookline.json): unknown key`),
        expect.stringContaining(`server.${name} (file hookline.json): unknown key`),
      ]);
      expect(({} as { polluted?: number }).polluted).toBeUndefined();
    },
  );

  test.each([
    ['{"endpoints":{"__proto__":{"url":"http://a.test"}}}', "endpoints.__proto__"],
    [
      '{"queue":{"sqs":{"client_options":{"a":{"__proto__":{"b":1}}}}}}',
      "queue.sqs.client_options.a.__proto__",
    ],
  ])("%s is refused, not skipped", async (text, path) => {
    expect(await issuesOf(text)).toEqual([`${path} (file hookline.json): is not a usable name`]);
  });

  test("--set cannot reach them either", async () => {
    const sets = [
      "__proto__.polluted=1",
      "endpoints.__proto__.url=http://a.test",
      "constructor.prototype.x=1",
    ];
    expect(await issuesOf(null, { sets })).toHaveLength(3);
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });
});

describe("what is filled in", () => {
  test("the one webhook without a name is called webhook, whatever its URL", async () => {
    const webhooks = [
      { url: "https://hooks.test:8443/a/secret", event_types: ["x"] },
      { name: "mine", url: "https://hooks.test/b", event_types: ["x"] },
    ];
    const { config } = await load({ apps: [app({ webhooks })] });
    expect(config.apps[0]?.webhooks.map(({ name }) => name)).toEqual(["webhook", "mine"]);
  });

  test("Soketi's lambda_function with its lambda settings is one target", async () => {
    const webhook = { url: undefined, lambda_function: "fn", lambda: { async: true, region: "eu-west-1" } };
    const { config } = await load({ apps: [appWith(webhook)] });
    expect(config.apps[0]?.webhooks[0]).toMatchObject({
      url: null,
      lambda: { function_name: "fn", async: true, region: "eu-west-1", client_options: {} },
    });
  });

  test("queues come out as objects, raw ones recognised by their endpoint or routes", async () => {
    const routes = [{ match: { attribute: "shoryuken_class", equals: "A" }, endpoint: "e" }];
    const queue = {
      queues: ["plain", { name: "raw-1", endpoint: "e" }, { name: "raw-2", routes }, { name: "jobs" }],
    };
    const { config } = await load({ queue, endpoints: { e: { url: "http://e.test" } } });
    expect(config.queue.queues.map(({ name, format }) => `${name} ${format}`)).toEqual([
      "plain jobs",
      "raw-1 raw",
      "raw-2 raw",
      "jobs jobs",
    ]);
  });

  test("fifo follows from the queue's URL where it is left out", async () => {
    const fifoOf = async (sqs: object) => (await load({ queue: { sqs } })).config.queue.sqs.fifo;
    expect(await fifoOf({})).toBe(false);
    expect(await fifoOf({ queue_url: "https://sqs.test/1/q.fifo" })).toBe(true);
    expect(await fifoOf({ queue_url: "https://sqs.test/1/q" })).toBe(false);
    expect(await fifoOf({ fifo: true })).toBe(true);
  });

  test("named endpoints are signed the standard way once they have keys", async () => {
    const signing_keys = [{ key: `whsec_${Buffer.alloc(24, 1).toString("base64")}` }];
    const { config } = await load({
      endpoints: { a: { url: "http://a.test" }, b: { url: "http://b.test", signing_keys } },
    });
    expect([config.endpoints["a"]?.signing, config.endpoints["b"]?.signing]).toEqual(["none", "standard"]);
  });
});

test("--queue selects: a raw queue of the file stays one", async () => {
  const queue = { queues: ["a", { name: "r", endpoint: "e" }] };
  const loaded = await load({ queue, endpoints: { e: { url: "http://e.test" } } }, { queues: ["r", "b"] });
  expect(loaded.config.queue.queues.map(({ name, endpoint }) => [name, endpoint])).toEqual([
    ["r", "e"],
    ["b", null],
  ]);
  expect(loaded.sourceOf("queue.queues.0.name")).toBe("flag --queue");
});

test("a queue of SQS may be named by its ARN, in any partition, and is shown", async () => {
  const arn = "arn:aws-us-gov:sqs:us-gov-west-1:123456789012:jobs.fifo";
  const { config, entries } = await loadConfig({
    args: { sets: [`queue.sqs.queue_url=${arn}`], queues: [] },
    env: {},
    cwd: tmpdir(),
  });
  expect(config.queue.sqs).toMatchObject({ queue_url: arn, fifo: true });
  expect(entries().find(({ path }) => path === "queue.sqs.queue_url")?.value).toBe(arn);
});

test("a named endpoint without keys is delivered to unsigned, which is said unless signing is none", async () => {
  const warningsOf = async (endpoint: object): Promise<string> => {
    const sets = [
      `endpoints=${JSON.stringify({ billing: { url: "https://billing.example/", ...endpoint } })}`,
    ];
    const { warnings } = await loadConfig({ args: { sets, queues: [] }, env: {}, cwd: tmpdir() });
    return warnings.join("\n");
  };
  expect(await warningsOf({})).toContain("endpoints.billing has no signing_keys");
  expect(await warningsOf({ signing: "none" })).not.toContain("signing_keys");
});

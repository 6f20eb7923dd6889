import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { createMasker } from "../../src/secrets/masker.ts";
import { namesOf, secretsOf } from "../../src/secrets/collect.ts";
import { redactUrl, urlSecrets } from "../../src/secrets/url.ts";
import { redactConfig } from "../../src/secrets/redacted-config.ts";
import { app, load } from "../config/support.ts";

/** The mask of a configuration, which spares the names in it. */
const maskOf = (config: unknown) => {
  const names = namesOf(config);
  return createMasker(secretsOf(config), { isName: (text) => names.has(text) });
};

/** A configuration with a secret, `S3CRET-<place>-…`, in every place where one can stand. */
function everywhere(): { file: object; secrets: string[] } {
  const secrets: string[] = [];
  const secret = (place: string): string => {
    const value = `S3CRET-${place}-x7Qp`;
    secrets.push(value);
    return value;
  };
  const whsec = `whsec_${Buffer.alloc(30, 0x5a).toString("base64")}`;
  secrets.push(whsec);
  const url = (place: string): string =>
    `https://${secret(`${place}-user`)}:${secret(`${place}-pass`)}@receiver.test/hook/${secret(`${place}-path`)}?t=${secret(`${place}-query`)}`;
  const backend = (place: string): string => `redis://default:${secret(place)}@redis.test:6379`;
  const sqs = (place: string): string => `https://u:${secret(place)}@sqs.test/1/`;
  const file = {
    server: { token: secret("token") },
    queue: {
      redis: { url_override: backend("redis-url") },
      redis_cluster: { nodes: [backend("cluster-node")] },
      sqs: {
        endpoint_url: sqs("sqs-endpoint"),
        queue_url_prefix: sqs("sqs-prefix"),
        client_options: { credentials: { secretAccessKey: secret("aws") }, list: [secret("aws-list")] },
      },
    },
    database: {
      redis: {
        password: secret("redis-password"),
        sentinel_password: secret("sentinel-password"),
        cluster_nodes: [backend("database-node")],
      },
    },
    egress: { proxy: `http://proxy:${secret("egress-proxy")}@proxy.test` },
    apps: [
      {
        id: "app-1",
        key: secret("key"),
        secret: secret("secret"),
        previous_secrets: [secret("previous")],
        webhooks: [
          {
            url: url("webhook"),
            event_types: ["x"],
            headers: { Authorization2: `Bearer ${secret("header")}` },
            signing: "both",
            signing_keys: [{ key: whsec }],
            proxy: `http://proxy:${secret("proxy")}@proxy.test`,
          },
          {
            name: "fn",
            lambda_function: "fn",
            event_types: ["x"],
            lambda: { client_options: { k: secret("lambda") } },
          },
        ],
      },
    ],
    endpoints: { e: { url: url("endpoint"), headers: { "X-Key": secret("endpoint-header") } } },
  };
  return { file, secrets };
}

describe("a secret in every place", () => {
  test("is in secretsOf", async () => {
    const { file, secrets } = everywhere();
    const { config } = await load(file);
    const mask = maskOf(config);
    expect(secrets.filter((secret) => mask(secret) !== "***")).toEqual([]);
    expect(mask(JSON.stringify(file))).not.toContain("S3CRET");
  });

  test("is in no entry, and no redacted configuration", async () => {
    const { file, secrets } = everywhere();
    const loaded = await load(file);
    for (const text of [JSON.stringify(loaded.entries()), JSON.stringify(redactConfig(loaded.config))]) {
      for (const secret of secrets) expect(text).not.toContain(secret);
      expect(text).not.toContain("S3CRET");
      expect(text).toContain("receiver.test");
      expect(text).toContain("app-1");
    }
  });

  test("is in no issue, when everything around it is wrong", async () => {
    const { file } = everywhere();
    const spoilt = JSON.parse(JSON.stringify(file), (_, value: unknown) => {
      // Every text becomes a wrong one that still holds its secret; keys become unknown.
      return typeof value === "string" && value.includes("S3CRET") ? `\u{0}${value}\u{0} #` : value;
    }) as Record<string, unknown>;
    const wrongTypes = JSON.parse(JSON.stringify(file), (key, value: unknown) =>
      typeof value === "string" && value.includes("S3CRET") ? [{ [key]: value }] : value,
    ) as Record<string, unknown>;
    const misplaced = { server: { port: "S3CRET-token-x7Qp", token: "S3CRET-token-x7Qp" }, tokn: "S3CRET-a" };
    for (const bad of [spoilt, wrongTypes, misplaced]) {
      const error = await load(bad).then(
        () => null,
        (reason: Error) => reason,
      );
      expect(error?.name).toBe("ConfigError");
      expect(error?.message).not.toContain("S3CRET");
    }
  });

  test("of a TLS key is masked as a block and line by line", () => {
    const body = "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v".repeat(2);
    const pem = `-----BEGIN PRIVATE KEY-----\n${body}\n-----END PRIVATE KEY-----\n`;
    const mask = maskOf({ database: { redis: { tls: { key: pem } } } });
    expect(mask(`a ${JSON.stringify(pem)} b ${body} c`)).toBe('a "***" b *** c');
  });
});

describe("names stay readable", () => {
  test("a key or header that is a name is not masked; a secret is, whatever it equals", async () => {
    const { config } = await load({
      apps: [app({ id: "shop", key: "shop", secret: "webhooks", webhooks: [] })],
      endpoints: { billing: { url: "http://b.test", headers: { "X-From": "billing", "X-Env": "prod-7" } } },
    });
    const mask = maskOf(config);
    expect(mask("shop billing prod-7 webhooks")).toBe("shop billing *** ***");
  });

  test("a backend's path and region are no secrets", () => {
    const queue = {
      sqs: {
        queue_url: "https://sqs.eu-west-1.test/123456789012/webhooks",
        client_options: { region: "eu-west-1", accessKeyId: "AKIA123" },
      },
      redis: { url_override: "redis://default:pw-secret@h/3" },
    };
    const mask = maskOf({ queue });
    expect(mask("https://sqs.eu-west-1.test/123456789012/webhooks default pw-secret AKIA123")).toBe(
      "https://sqs.eu-west-1.test/123456789012/webhooks default *** ***",
    );
  });
});

// Finding of fresh-eyes testing: README's own example made log lines say "endpoint":"shop***".
describe("a URL that ends in a word", () => {
  const example = {
    apps: [
      app({
        id: "shop",
        webhooks: [{ name: "orders", url: "https://example.com/hooks/orders", event_types: ["x"] }],
      }),
    ],
  };

  test("is masked behind its first segment, and nowhere else", () => {
    const mask = maskOf(example);
    expect(mask("shop/orders sent to https://example.com/hooks/orders")).toBe(
      "shop/orders sent to https://example.com/hooks***",
    );
    expect(mask("POST /hooks/orders, not /orders")).toBe("POST /hooks***, not /orders");
    expect(mask('{"label":"shop/orders","path":"\\/hooks\\/orders"}')).toBe(
      '{"label":"shop/orders","path":"\\/hooks***"}',
    );
    expect(mask(encodeURIComponent("/hooks/orders"))).toBe("%2Fhooks***");
  });

  test.each([
    ["https://h.test/a/callbacks", "/callbacks callbacks", "*** callbacks"],
    ["https://h.test/a/callback", "/callback x/callback", "*** x***"],
    ["https://h.test/a/webhooks", "shop/webhooks", "shop***"],
    ["https://h.test/a/x7Qp9Z2k", "x7Qp9Z2k", "***"],
    ["https://h.test/a/T0/B0/x7Qp", "T0/B0/x7Qp", "***"],
    ["https://h.test/a/order-events-of-europe", "order-events-of-europe", "***"],
    ["https://h.test/a?orders", "orders a?orders", "orders a?***"],
    ["https://h.test/a?orders=1", "orders=1", "***"],
  ])("%s in %j becomes %j", (url, text, masked) => {
    expect(createMasker(urlSecrets(url, "url"))(text)).toBe(masked);
  });

  test("is masked as a whole where it is another secret too", () => {
    const mask = createMasker([...urlSecrets("https://h.test/hooks/orders", "url"), "/hooks/or"]);
    expect(mask("at /hooks/orders")).toBe("at ***");
  });

  test("a long name that a URL ends in stays readable in labels", () => {
    const webhooks = [
      { name: "order-events-of-europe", url: "https://h.test/a/order-events-of-europe", event_types: ["x"] },
      { name: "b", url: "https://h.test/x/shop/b", event_types: ["x"] },
    ];
    const mask = maskOf({ apps: [app({ id: "shop", webhooks })] });
    expect(mask("shop/order-events-of-europe shop/b /a/order-events-of-europe")).toBe(
      "shop/order-events-of-europe shop/b /a***",
    );
  });
});

describe("redactUrl", () => {
  test.each([
    ["https://hooks.test", "url", "https://hooks.test"],
    ["https://hooks.test/", "url", "https://hooks.test/"],
    ["https://hooks.test/first", "url", "https://hooks.test/first"],
    ["https://hooks.test/first/", "url", "https://hooks.test/first/"],
    ["https://hooks.test:8443/first/T0/B0", "url", "https://hooks.test:8443/first/***"],
    ["https://hooks.test/first?token=x", "url", "https://hooks.test/first?***"],
    ["https://hooks.test?token=x", "url", "https://hooks.test?***"],
    ["https://user:pa@ss@hooks.test/a/b?c#d", "url", "https://***@hooks.test/a/***"],
    ["redis://:pw@h:6379/3", "address", "redis://***@h:6379/3"],
    ["https://sqs.test/1/q.fifo?x=y", "address", "https://sqs.test/1/q.fifo?***"],
    ["not a url", "url", "***"],
  ] as const)("%s (%s) is shown as %s", (url, kind, shown) => {
    expect(redactUrl(url, kind)).toBe(shown);
  });

  test("shows nothing that urlSecrets names", () => {
    for (const url of ["https://a.test/b/c/d?e=f", "https://u:p@a.test/b/c", "https://tok@a.test/b//c"]) {
      const host = new URL(url).host;
      for (const secret of urlSecrets(url, "url")) {
        const text =
          typeof secret === "string" ? secret : ("before" in secret ? secret.before : "") + secret.secret;
        expect(redactUrl(url, "url").replace(host, "").replace("https:", "")).not.toContain(text);
      }
    }
  });
});

describe("createMasker", () => {
  test("a text that is a secret of its own, and the end of one that stays, is masked as a whole", () => {
    const part = { before: "/hooks", secret: "/orders-8J2k" };
    const whole = "/hooks/orders-8J2k";
    for (const secrets of [
      [part, whole],
      [whole, part],
    ]) {
      expect(createMasker(secrets)(`POST ${whole} failed`)).toBe("POST *** failed");
    }
    expect(createMasker([part])(`POST ${whole} failed`)).toBe("POST /hooks*** failed");
  });

  const mask = createMasker([
    "hunter2-secret",
    'quo"te\\d',
    "ümläut/geheim",
    "with space+plus",
    "abcd",
    "bcdefgh",
    "k",
  ]);

  test.each([
    ["a hunter2-secret b hunter2-secret", "a *** b ***"],
    ["xhunter2-secretx", "x***x"],
    ["nothing here", "nothing here"],
    ["", ""],
    [JSON.stringify({ a: 'quo"te\\d' }), '{"a":"***"}'],
    [JSON.stringify(JSON.stringify({ a: 'quo"te\\d' })), '"{\\"a\\":\\"***\\"}"'],
    [encodeURIComponent("ümläut/geheim"), "***"],
    [encodeURIComponent("ümläut/geheim").toLowerCase(), "***"],
    [encodeURI("ümläut/geheim"), "***"],
    ["\\u00fcml\\u00e4ut/geheim", "***"],
    ["\u00fcml\u00e4ut\\/geheim", "***"],
    ["with+space%2Bplus", "***"],
    ["overlapping abcdefgh", "overlapping ***"],
    ["k ok k. kk 'k'", "*** ok ***. kk '***'"],
  ])("%j becomes %j", (text, masked) => {
    expect(mask(text)).toBe(masked);
  });

  test.each([
    ['{"app_secret":"x","b":1}', '{"app_secret":"***","b":1}'],
    ['{"app_secret" :\n "a\\"b\\\\","b":1}', '{"app_secret" :\n "***","b":1}'],
    ['{"appSecret":"","b":1}', '{"appSecret":"***","b":1}'],
    ['{"app_secret":12345,"b":1}', '{"app_secret":"***","b":1}'],
    ['{"app_secret":null}', '{"app_secret":"***"}'],
    ['{"app_secret":"cut of', '{"app_secret":"***"'],
    ['{"app_secret":{"deep":"x"},"b":1}', '{"app_secret":"***"'],
    ['{"a":"app_secret"}', '{"a":"app_secret"}'],
    ['"{\\"app_secret\\":\\"x\\",\\"b\\":1}"', '"{\\"app_secret\\":\\"***\\",\\"b\\":1}"'],
    ['"{\\"app_secret\\" : \\"a\\\\\\"b\\",\\"b\\":1}"', '"{\\"app_secret\\" : \\"***\\",\\"b\\":1}"'],
    ['"{\\"app_secret\\":7}"', '"{\\"app_secret\\":\\"***\\"}"'],
    ['\\\\\\"appSecret\\\\\\":\\\\\\"x\\\\\\"', '\\\\\\"appSecret\\\\\\":\\\\\\"***\\\\\\"'],
    ['{"app\\u005fsecret":"x\\"y","b":1}', '{"app\\u005fsecret":"***","b":1}'],
    ['{"app\\u005Fsecre\\u0074":7}', '{"app\\u005Fsecre\\u0074":"***"}'],
    ['{"app\\u0053ecret":"x', '{"app\\u0053ecret":"***"'],
    ['"{\\"app\\\\u005fsecret\\":\\"x\\"}"', '"{\\"app\\\\u005fsecret\\":\\"***\\"}"'],
    [
      '{"d":"{\\u0022app_secret\\u0022:\\u0022x\\\\u0022y\\u0022,\\u0022b\\u0022:1}"}',
      '{"d":"{\\u0022app_secret\\u0022:\\u0022***\\u0022,\\u0022b\\u0022:1}"}',
    ],
    ['\\"app_secret\\":\\"cut of', '\\"app_secret\\":\\"***\\"'],
  ])("after app_secret: %j becomes %j", (text, masked) => {
    const bare = createMasker([]);
    expect(bare(text)).toBe(masked);
    expect(bare(masked)).toBe(masked);
  });

  test("lets no secret through, in any spelling and any surroundings", () => {
    const random = createRandom(20_261_121);
    const alphabet = [
      "a",
      "b",
      "c",
      "0",
      "1",
      "é",
      "€",
      "😀",
      '"',
      "\\",
      "/",
      "%",
      " ",
      "+",
      "&",
      "\n",
      "'",
      "$",
    ];
    const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
    const word = (length: number): string => Array.from({ length }, () => pick(alphabet)).join("");
    const spell: ((text: string) => string)[] = [
      (text) => text,
      encodeURIComponent,
      (text) => encodeURIComponent(text).replace(/%../g, (code) => code.toLowerCase()),
      (text) => JSON.stringify(text).slice(1, -1),
      (text) => JSON.stringify(JSON.stringify(text).slice(1, -1)).slice(1, -1),
    ];
    for (let round = 0; round < 3000; round += 1) {
      const secrets = Array.from({ length: 1 + Math.floor(random() * 4) }, () =>
        word(4 + Math.floor(random() * 12)),
      );
      const spelled = secrets.flatMap((secret) => spell.map((as) => as(secret)));
      const text = Array.from({ length: 6 }, () => (random() < 0.5 ? pick(spelled) : word(3))).join(
        pick(["", " ", "a"]),
      );
      const masked = createMasker(secrets)(text);
      for (const secret of spelled) {
        if (masked.includes(secret))
          throw new Error(`${JSON.stringify({ secrets, text, masked })} shows ${secret}`);
      }
    }
  });

  describe("in the encodings that hookline makes", () => {
    const secret = "Geheimnis-Ä-99";
    const hidden = createMasker([
      secret,
      "hdrTok3n/+~?",
      "k",
      ...urlSecrets("https://h.test/hooks/orders", "url"),
    ]);
    const utf8 = Buffer.from(secret);
    const latin1 = Buffer.from(secret, "latin1");
    /** What somebody reads who decodes what the text holds, in any way. */
    const readings = (text: string): string => {
      const runs = text.match(/[A-Za-z0-9+/_-]{4,}={0,2}/g) ?? [];
      const decoded = runs.flatMap((run) => {
        const bytes = [0, 1, 2, 3].map((at) => Buffer.from(run.slice(at), "base64"));
        return bytes.flatMap((one) => [one.toString("utf8"), one.toString("latin1")]);
      });
      return [text, Buffer.from(text, "latin1").toString("utf8"), ...decoded].join("\n");
    };

    test.each(["utf8", "latin1"] as const)("the bytes of a body, %s, read one character each", (encoding) => {
      const body = Buffer.concat([
        Buffer.from([0xff]),
        Buffer.from(`a ${secret} b`, encoding),
        Buffer.from([0xfe]),
      ]);
      expect(hidden(body.toString("latin1"))).toBe("\u00ffa *** b\u00fe");
    });

    test("base64 and base64url, at every place, in both encodings of the text", () => {
      for (const bytes of [utf8, latin1]) {
        for (let before = 0; before < 24; before += 1) {
          for (const alphabet of ["base64", "base64url"] as const) {
            for (const after of ["", "x", "xyz"]) {
              const whole = Buffer.concat([Buffer.alloc(before, 0xfb), bytes, Buffer.from(after)]);
              const text = `{"content":"${whole.toString(alphabet)}"}`;
              const shown = hidden(text);
              expect(shown).not.toBe(text);
              expect(readings(shown)).not.toContain("eheimnis");
              // Outside of the secret nothing changes: what is before it can still be read.
              if (before % 3 === 0) expect(shown.startsWith(text.slice(0, 12 + (before / 3) * 4))).toBe(true);
            }
          }
        }
      }
    });

    test("base64 of a text that spells it in its own way, or has app_secret", () => {
      for (const inside of [
        `{"a":"${JSON.stringify(secret).slice(1, -1)}"}`,
        '{"a":"Geheimnis-\\u00c4-99"}',
        `?a=${encodeURIComponent(secret)}&b=2`,
        '{"app_secret":"unheard-of","b":1}',
        "POST https://h.test/hooks/orders HTTP/1.1",
      ]) {
        const shown = hidden(`x ${Buffer.from(inside).toString("base64")} y`);
        const back = Buffer.from(shown.slice(2, -2), "base64").toString("utf8");
        expect(back).toContain("***");
        expect(back).not.toMatch(/eheimnis|unheard|orders/);
      }
    });

    test("ids, digests, words and base64 without a secret stay as they are", () => {
      const random = createRandom(7);
      for (let round = 0; round < 300; round += 1) {
        const bytes = Buffer.from(Array.from({ length: 64 }, () => Math.floor(random() * 256)));
        const text = `${bytes.toString("base64")} ${bytes.toString("base64url")} ${bytes.toString("hex")}`;
        expect(hidden(text)).toBe(text);
      }
      const plain = "6f1c2f0e-5f0b-4a53-9d1a-5a1b6a0f3c77 channel_occupied presence-lobby-with-a-long-name";
      expect(hidden(plain)).toBe(plain);
    });
  });

  // Finding of fresh-eyes testing: what PHP, .NET and Go write in place of a character was not seen.
  test("lets no secret through that an encoder of JSON spelled in its own way, once or twice", () => {
    const random = createRandom(20_261_122);
    const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
    const unit = (c: string, upper: boolean): string => {
      const hex = c.charCodeAt(0).toString(16).padStart(4, "0");
      return `\\u${upper ? hex.toUpperCase() : hex}`;
    };
    const json = (text: string): string => JSON.stringify(text).slice(1, -1);
    const encoders: Record<string, (text: string) => string> = {
      php: (text) =>
        json(text)
          .replaceAll("/", "\\/")
          .replace(/[\u0080-\uffff]/g, (c) => unit(c, false)),
      python: (text) => json(text).replace(/[\u0080-\uffff]/g, (c) => unit(c, false)),
      go: (text) => json(text).replace(/[<>&]/g, (c) => unit(c, false)),
      dotnet: (text) =>
        text
          .split("")
          .map((c) => (/[A-Za-z0-9 ./_-]/.test(c) ? c : unit(c, true)))
          .join(""),
      all: (text) =>
        text
          .split("")
          .map((c) => unit(c, random() < 0.5))
          .join(""),
    };
    const alphabet = ["a", "0", "é", "€", "😀", '"', "\\", "/", "+", "<", "&", "\n", "'", "%", "u", "n"];
    const word = (length: number): string => Array.from({ length }, () => pick(alphabet)).join("");
    for (let round = 0; round < 4000; round += 1) {
      const secret = `${word(3 + Math.floor(random() * 10))}x`;
      const encode = pick(Object.values(encoders));
      const twice = random() < 0.4 ? pick(Object.values(encoders)) : (text: string): string => text;
      const text = twice(encode(`${word(2)} ${secret} ${word(2)}`));
      const masked = createMasker([secret])(`{"a":"${text}"}`);
      let read = masked;
      for (let level = 0; level < 3; level += 1) {
        if (read.includes(secret)) {
          throw new Error(`${JSON.stringify({ secret, text, masked })} shows it`);
        }
        try {
          read = JSON.parse(`"${read.replace(/^\{"a":"|"\}$/g, "")}"`) as string;
        } catch {
          break;
        }
      }
      expect(masked).toContain("***");
    }
  });

  test.each([
    ["\\u00FCml\\u00E4ut\\/geheim", "***"],
    ['{"\\ud83d\\ude00pass\\uD83D\\uDE00"}', '{"***"}'],
    ["a \\u006b b", "a *** b"],
    ["nothing\\u0020here \\/ or \\u00zz", "nothing\\u0020here \\/ or \\u00zz"],
    ["hunter2-\\u0073ecret and hunter2-secret", "*** and ***"],
  ])("%s becomes %s", (text, masked) => {
    expect(createMasker(["ümläut/geheim", "😀pass😀", "k", "hunter2-secret"])(text)).toBe(masked);
  });

  test("costs the same with 100,000 keys that begin alike as with ten", () => {
    const line =
      `{"time":"2026-11-21T20:55:00Z","msg":"delivered","endpoint":"app-1/hooks","key":"whsec_","auth":"Bearer "} `.repeat(
        3,
      );
    const keyOf = (index: number): string => createHash("sha256").update(String(index)).digest("base64");
    const [few, many] = [10, 100_000].map((count) => {
      const keys = Array.from({ length: count / 2 }, (_, index) => [
        `whsec_${keyOf(index)}`,
        `Bearer hooks-${keyOf(-1 - index)}`,
      ]).flat();
      const mask = createMasker(keys);
      expect(mask(`${keys.at(-2)} and ${keys.at(-1)}, ${keys[0]?.slice(0, -1)}`)).toBe(
        `*** and ***, ${keys[0]?.slice(0, -1)}`,
      );
      for (let index = 0; index < 2000; index += 1) mask(line);
      const { user } = process.cpuUsage();
      for (let index = 0; index < 2000; index += 1) mask(line);
      const lineUs = process.cpuUsage({ user, system: 0 }).user;
      const before = process.cpuUsage().user;
      for (let index = 0; index < 2000; index += 1) {
        mask.add([`whsec_${keyOf(1_000_000 + index)}`]);
        mask.remove([`whsec_${keyOf(1_000_000 + index)}`]);
      }
      return { lineUs, changeUs: process.cpuUsage().user - before };
    });
    // Compared one by one, the keys of one beginning would be some thousand times slower.
    expect(many!.lineUs).toBeLessThan(few!.lineUs * 20 + 50_000);
    expect(many!.changeUs).toBeLessThan(few!.changeUs * 20 + 50_000);
  });

  test("what is secret changes while it is in use", () => {
    const mask = createMasker(["first-secret", "first-secret"], { mostFormer: 2 });
    mask.remove(["first-secret"]);
    expect(mask("first-secret")).toBe("***");
    mask.add(["second-secret"]);
    mask.remove(["first-secret", "unknown-secret"]);
    expect(mask("first-secret second-secret")).toBe("*** ***");
    // The last two that were taken away are masked yet.
    mask.add(["third-secret", "fourth-secret"]);
    mask.remove(["third-secret"]);
    expect(mask("first-secret third-secret")).toBe("*** ***");
    mask.remove(["fourth-secret"]);
    expect(mask("first-secret second-secret third-secret fourth-secret")).toBe("first-secret *** *** ***");
    mask.remove(["third-secret"]);
    mask.add(["third-secret"]);
    mask.remove(["second-secret"]);
    expect(mask("third-secret fourth-secret second-secret")).toBe("*** *** ***");
  });

  test("a plain model agrees after thousands of changes", () => {
    const random = createRandom(20_261_130);
    const mask = createMasker([]);
    const counts = new Map<string, number>();
    for (let round = 0; round < 20_000; round += 1) {
      // None of them is the beginning of another.
      const secret = `${"x".repeat(Math.floor(random() * 20))}-${Math.floor(random() * 20)}-secret`;
      const count = counts.get(secret) ?? 0;
      if (random() < 0.5) {
        mask.add([secret]);
        counts.set(secret, count + 1);
      } else {
        mask.remove([secret]);
        counts.set(secret, Math.max(0, count - 1));
      }
      if (round % 1_000 !== 0) continue;
      for (const [known, times] of counts) expect(mask(`<${known}>`) === "<***>").toBe(times > 0);
    }
  });

  test("a secret that is a name is hidden again when nothing is called so any more", () => {
    let name = "orders-team";
    const mask = createMasker([{ secret: "orders-team", unlessName: "orders-team" }], {
      isName: (text) => text === name,
    });
    expect(mask("key orders-team")).toBe("key orders-team");
    name = "other-team";
    expect(mask("key orders-team")).toBe("key ***");
  });

  test("a long text is looked through to its end, across the pieces it is read in", () => {
    const mask = createMasker(["boundary-secret", "k"]);
    for (const at of [16_370, 16_380, 16_384, 16_390, 40_000]) {
      const text = `${"-".repeat(at)}boundary-secret${"-".repeat(at)}`;
      expect(mask(text)).toBe(`${"-".repeat(at)}***${"-".repeat(at)}`);
      const digits = Buffer.from(text).toString("base64");
      expect(Buffer.from(mask(`=${digits}`), "base64").toString()).not.toContain("boundary-secret");
      expect(mask(`${"a".repeat(at)}k`)).toBe(`${"a".repeat(at)}k`);
      expect(mask(`${"-".repeat(at)}k-`)).toBe(`${"-".repeat(at)}***-`);
    }
  });
});

/** A generator of numbers in [0, 1) that gives the same ones in every run (mulberry32). */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

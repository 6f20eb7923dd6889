import { describe, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfig } from "../../src/config/load.ts";
import { configSchema } from "../../src/config/schema.ts";
import { alternatives, type SchemaNode } from "../../src/config/schema-tree.ts";
import { isShowable, quote } from "../../src/secrets/showable.ts";
import { ConfigError, formatConfigIssue } from "../../src/errors.ts";
import { app, appWith, issuesOf, load } from "./support.ts";

/** Secrets as they stand where they do not belong; each holds HUNTER2, which must stand in no issue. */
const strays = [
  "HUNTER2",
  "whsec_HUNTER2aGVsbG8=",
  "Bearer HUNTER2",
  "redis://:HUNTER2@h:1",
  "https://u:HUNTER2@h/x/HUNTER3?t=HUNTER4",
  "hooks.test/x/HUNTER2/HUNTER3",
  "password=HUNTER2",
];
const trace = /hunter[234]/i;

/** What may stand in a place of another kind, with a secret in it. */
function shapesOf(secret: string): unknown[] {
  return [
    secret,
    [secret],
    [[secret]],
    { key: secret },
    { url: secret, host: secret, name: secret },
    [{ value: secret }],
    `["${secret}"`,
    `{"a":"${secret}",}`,
  ];
}

/** Every path of the schema; 0 stands for an array's element, k for a name in a map. */
function pathsOf(node: SchemaNode, path: readonly string[] = []): string[][] {
  const paths = new Map<string, string[]>([[path.join(" "), [...path]]]);
  for (const { entries, item, value, type } of alternatives(node)) {
    const children: [string, SchemaNode][] = Object.entries(entries ?? {});
    if (item !== undefined) children.push(["0", item]);
    if (type === "record" && value !== undefined) children.push(["k", value]);
    for (const [key, child] of children) {
      for (const below of pathsOf(child, [...path, key])) paths.set(below.join(" "), below);
    }
  }
  return [...paths.values()];
}

/** The value at its path, in objects and arrays of one element. */
const wrap = (path: readonly string[], value: unknown): unknown =>
  path.reduceRight<unknown>((inner, key) => (key === "0" ? [inner] : { [key]: inner }), value);

const paths = pathsOf(configSchema).filter((path) => path.length > 0);

/** Loads and gives the lines of issues, and of warnings. */
async function linesOf(
  cwd: string,
  given: { file?: string; env?: Record<string, string>; sets?: string[]; queues?: string[] },
): Promise<string[]> {
  await writeFile(join(cwd, "hookline.json"), given.file ?? "{}");
  try {
    const args = { sets: given.sets ?? [], queues: given.queues ?? [] };
    return [...(await loadConfig({ args, env: given.env ?? {}, cwd })).warnings];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(error.message).toBe(error.issues.map(formatConfigIssue).join("\n"));
    return error.issues.map(formatConfigIssue);
  }
}

async function inDirectory(run: (cwd: string) => Promise<void>): Promise<void> {
  const cwd = await mkdtemp(join(tmpdir(), "hookline-issues-"));
  try {
    await run(cwd);
  } finally {
    await rm(cwd, { recursive: true });
  }
}

// Findings of fresh-eyes testing: values of the wrong type stood in issues, secrets and all (contract §1.8).
describe("no issue holds a secret that stands in the wrong place", () => {
  test("the schema has the paths that this is about", () => {
    const joined = paths.map((path) => path.join("."));
    expect(joined.length).toBeGreaterThan(180);
    for (const path of ["apps.0.previous_secrets", "endpoints.k.signing_keys.0.key", "database.redis.tls"]) {
      expect(joined).toContain(path);
    }
  });

  test(
    "in the file, at every path, in every shape",
    () =>
      inDirectory(async (cwd) => {
        let count = 0;
        for (const path of paths) {
          for (const value of strays.flatMap((stray, at) => shapesOf(stray).slice(0, at % 3 === 0 ? 8 : 3))) {
            const file = JSON.stringify(wrap(path, value));
            const lines = await linesOf(cwd, { file });
            count += lines.length;
            const shown = lines.find((line) => trace.test(line));
            if (shown !== undefined) throw new Error(`${file} is told of as: ${shown}`);
          }
        }
        expect(count).toBeGreaterThan(6000);
      }),
    60_000,
  );

  test(
    "in a variable, its file's name, or a flag, at every path",
    () =>
      inDirectory(async (cwd) => {
        for (const path of paths) {
          const name = `HOOKLINE_${path.join("__").toUpperCase()}`;
          const written = path.join(".");
          for (const secret of strays) {
            for (const shape of shapesOf(secret).slice(0, 3)) {
              const value = typeof shape === "string" ? shape : JSON.stringify(shape);
              const file = JSON.stringify({ endpoints: { k: {} } });
              const runs = [
                { file, env: { [name]: value } },
                { file, env: { [`${name}_FILE`]: value } },
                { file, sets: [`${written}=${value}`] },
              ];
              for (const run of runs) {
                const shown = (await linesOf(cwd, run)).find((line) => trace.test(line));
                if (shown !== undefined) throw new Error(`${JSON.stringify(run)} is told of as: ${shown}`);
              }
            }
          }
        }
      }),
    60_000,
  );

  test("as a key, as text that is no JSON, as the name of a file or variable, or behind --queue", () =>
    inDirectory(async (cwd) => {
      for (const secret of strays) {
        const text = JSON.stringify(secret);
        const runs = [
          { file: `{${text}: 1}` },
          { file: `{"server": {${text}: 1}}` },
          { file: `{"server": {"token": ${text} "x"}}` },
          { file: `{"server": {"token": ${secret}}}` },
          { file: `{"a": ${text}, ${text}: 1, ${text}: 2}` },
          { file: text },
          { file: JSON.stringify([secret]) },
          { env: { HOOKLINE_CONFIG: `{"server":{"token":${text}}}` } },
          { env: { HOOKLINE_TOKEN_FILE: secret } },
          { env: { REDIS_URL_FILE: secret } },
          { env: { SOKETI_QUEUE_SQS_CLIENT_OPTIONS: text } },
          { env: { QUEUE_DRIVER: secret } },
          { env: { QUEUE_NAMES: secret } },
          { env: { [`HOOKLINE_TOKEN:${secret}`]: "1" } },
          { sets: [`${secret}=1`] },
          { queues: [secret] },
        ];
        for (const run of runs) {
          const lines = await linesOf(cwd, run);
          expect(lines).not.toEqual([]);
          const shown = lines.find((line) => trace.test(line));
          // A plain word is a queue's name like any other, and none looks wrong.
          if (shown !== undefined) throw new Error(`${JSON.stringify(run)} is told of as: ${shown}`);
        }
      }
    }));

  test.each<[file: object, line: string]>([
    [
      { apps: [app({ previous_secrets: "HUNTER2" })] },
      "apps.0.previous_secrets (file hookline.json): expected an array of secrets, got a string of 7 characters",
    ],
    [
      { apps: [appWith({ headers: "Bearer HUNTER2" })] },
      "apps.0.webhooks.0.headers (file hookline.json): expected an object of header names and values, got a string of 14 characters",
    ],
    [
      { apps: [app({ webhooks: ["https://u:HUNTER2@h/x/HUNTER3"] })] },
      "apps.0.webhooks.0 (file hookline.json): expected an object, got a string of 29 characters that begins with https://",
    ],
    [
      { database: { redis: { host: "redis://:HUNTER2@h" } } },
      "database.redis.host (file hookline.json): expected a host name or an IP address, without a port, got a string of 18 characters that begins with redis://",
    ],
    [
      { queue: { queues: [{ name: "r", endpoint: "https://u:HUNTER2@h/x" }] } },
      'queue.queues.0.endpoint (file hookline.json): expected a name of 1 to 128 letters, digits and . _ : @ -, not "." or "..", got a string of 21 characters that begins with https://',
    ],
    [
      { server: { port: true, host: 5 }, apps: 1234 },
      "apps (file hookline.json): expected an array of apps, got a number that is not shown",
    ],
  ])("%j", async (file, line) => {
    expect(await issuesOf(file)).toContain(line);
  });
});

test("a URL with a password that stands where any text may is not printed either", async () => {
  const { entries } = await load({ queue: { redis: { prefix: "redis://:HUNTER2@h/x" } } });
  expect(JSON.stringify(entries())).not.toMatch(trace);
});

test.each([
  "five",
  "kafka",
  "0x10",
  "65536",
  "10.0.0.0/33",
  "http://h:80",
  "redis-clusterr",
  "a b",
  "shop/orders",
])("%s is quoted", (text) => {
  expect(quote(text)).toBe(JSON.stringify(text));
});

test.each([
  "x".repeat(81),
  "user@host",
  "a=b",
  "/a/b/c",
  "AKIAIOSFODNN7EXAMPLE",
  "correcthorsebatterystaples",
  "3f2504e0-4f89-11d3",
  "-----BEGIN PRIVATE KEY-----",
])("%s is not", (text) => {
  expect(isShowable(text)).toBe(false);
  expect(quote(text)).toBe(`a string of ${text.length} characters`);
});

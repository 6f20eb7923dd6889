import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { askServer, describeRefusal, findServer } from "../../src/cli/server.ts";
import { ConfigError, UsageError } from "../../src/errors.ts";
import { answer, hang, startReceiver } from "../support/receiver.ts";

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "hookline-server-"));
  writeFileSync(join(directory, "token"), "from-the-file\n");
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const find = (
  flags: object,
  env: Record<string, string> = {},
  cwd = directory,
): ReturnType<typeof findServer> => findServer(flags, { env, cwd });

test("without anything, the server is this machine's on the default port", async () => {
  expect(await find({})).toEqual({ url: "http://127.0.0.1:9640", token: null });
});

test("the flag wins over HOOKLINE_URL, and that over the configuration", async () => {
  const env = { HOOKLINE_URL: "http://b:2/", HOOKLINE_PORT: "3" };
  expect((await find({ url: "https://a:1//" }, env)).url).toBe("https://a:1");
  expect((await find({}, env)).url).toBe("http://b:2");
  expect((await find({}, { HOOKLINE_PORT: "3" })).url).toBe("http://127.0.0.1:3");
});

test("a server that listens everywhere is asked on loopback", async () => {
  const urlFor = async (host: string): Promise<string> =>
    (await find({}, { HOOKLINE_HOST: host, HOOKLINE_TOKEN: "a-long-enough-token" })).url;
  expect(await urlFor("0.0.0.0")).toBe("http://127.0.0.1:9640");
  expect(await urlFor("::")).toBe("http://[::1]:9640");
  expect(await urlFor("::1")).toBe("http://[::1]:9640");
  expect(await urlFor("10.0.0.7")).toBe("http://10.0.0.7:9640");
});

test("the token comes from the flag, the environment or its file; the configuration's own goes to no named URL", async () => {
  const own = join(directory, "own");
  const config = join(directory, "own.json");
  writeFileSync(config, JSON.stringify({ server: { port: 7, token: "the-configured-token" } }));
  expect(await find({ config })).toEqual({ url: "http://127.0.0.1:7", token: "the-configured-token" });
  expect((await find({ config, url: "http://elsewhere" })).token).toBeNull();
  expect((await find({ url: "http://a", token: "flag" }, { HOOKLINE_TOKEN: "env" })).token).toBe("flag");
  expect((await find({ url: "http://a" }, { HOOKLINE_TOKEN: "env" })).token).toBe("env");
  const byFile = { HOOKLINE_TOKEN_FILE: join(directory, "token") };
  expect((await find({ url: "http://a" }, byFile)).token).toBe("from-the-file");
  await expect(find({ url: "http://a" }, { HOOKLINE_TOKEN_FILE: own })).rejects.toThrow("cannot be read");
});

test("a URL that is none, and a configuration that cannot be used, are said so", async () => {
  await expect(find({ url: "localhost:9640" })).rejects.toThrow("expected something like");
  await expect(find({}, { HOOKLINE_PORT: "none" })).rejects.toThrow(ConfigError);
});

test("what a URL or a token holds is not repeated, and each is named as it was given", async () => {
  const io = (env: Record<string, string> = {}) => ({ env, cwd: "/nonexistent" });
  const rows: [flags: Parameters<typeof findServer>[0], env: Record<string, string>, says: string][] = [
    [{ url: "http://u:hunter2@h.test" }, {}, "--url: expected a URL without user and password"],
    [
      { url: "ftp://u:hunter2@h.test" },
      {},
      "--url: expected something like http://127.0.0.1:9640, got a text of",
    ],
    [{ url: "http://h.test/?token=hunter2" }, {}, "--url: expected a URL without a query"],
    [
      {},
      { HOOKLINE_URL: "nowhere" },
      'HOOKLINE_URL: expected something like http://127.0.0.1:9640, got "nowhere"',
    ],
    [{ token: "hunter2\u00e4" }, {}, "--token: expected a token of visible ASCII"],
    [{ url: "http://h.test" }, { HOOKLINE_TOKEN: "hunter2 x" }, "HOOKLINE_TOKEN: expected a token"],
    [
      { url: "http://h.test" },
      { HOOKLINE_SERVER__TOKEN_FILE: "hunter2" },
      "HOOKLINE_SERVER__TOKEN_FILE: a file",
    ],
  ];
  for (const [flags, env, says] of rows) {
    const error = await findServer(flags, io(env)).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(UsageError);
    expect((error as Error).message).toContain(says);
    expect((error as Error).message).not.toContain("hunter2");
  }
});

test("a server that does not answer in time, or does not answer at all, is named", async () => {
  const receiver = await startReceiver({ behaviour: hang() });
  try {
    const server = { url: receiver.url, token: null };
    await expect(askServer(server, { path: "/", timeoutMs: 50 })).rejects.toThrow(
      `${receiver.url} cannot be asked: no answer within 50 ms`,
    );
  } finally {
    await receiver.close();
  }
  await expect(askServer({ url: "http://127.0.0.1:9", token: null }, { path: "/" })).rejects.toThrow(
    "http://127.0.0.1:9 cannot be asked",
  );
});

test("a request carries token, body and content type, and a refusal is told in the server's words", async () => {
  const problem = JSON.stringify({ title: "Gone", status: 410, code: "gone", detail: "it went away" });
  const receiver = await startReceiver({ behaviour: answer(410, { body: problem }) });
  try {
    const server = { url: receiver.url, token: "t" };
    const answered = await askServer(server, { method: "POST", path: "/x", body: "{}" });
    expect(describeRefusal(answered)).toBe("410 it went away (gone)");
    expect((await receiver.waitFor(1)).headers).toMatchObject({
      authorization: "Bearer t",
      "content-type": "application/json",
    });
    receiver.behave(answer(502, { body: "<html>" }));
    expect(describeRefusal(await askServer(server, { path: "/" }))).toBe(
      "502 the server refused, in words that are not hookline's",
    );
  } finally {
    await receiver.close();
  }
});

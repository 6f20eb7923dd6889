import { expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { version } from "../../src/version.ts";
import { runExecutable, startExecutable } from "../support/executable.ts";
import { secret } from "../support/secrets.ts";
import { configFor } from "./scenario.ts";

/** A directory that is gone after the test. */
function temporaryDirectory(): { path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), "hookline-boot-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

test("an empty directory is enough: serve listens, is alive and ready, and drains", async () => {
  await using server = await startExecutable({});
  const health = await server.api("GET", "/health");
  expect(health.status).toBe(200);
  expect(health.body).toMatchObject({ status: "ok", version, driver: "memory", durable: false });
  expect((await server.api("GET", "/health/live")).status).toBe(200);
  expect((await server.api("GET", "/metrics")).text).toContain("hookline_");
  const alive = await runExecutable(["health", "--url", server.url]);
  expect(alive).toMatchObject({ code: 0, stdout: `alive: ${server.url}\n`, stderr: "" });
  expect((await runExecutable(["health", "--ready", "--url", server.url])).code).toBe(0);
  expect(await server.stop()).toBe(0);
});

test("health says no when nobody answers", async () => {
  const { code, stderr } = await runExecutable(["health"], { env: { HOOKLINE_URL: "http://127.0.0.1:9" } });
  expect(code).toBe(1);
  expect(stderr).toContain("http://127.0.0.1:9 cannot be asked");
});

test("version, help and help of each command answer on stdout", async () => {
  const printed = await runExecutable(["version"]);
  expect(printed).toMatchObject({ code: 0, stderr: "" });
  expect(printed.stdout.split("\n")[0]).toBe(version);
  const overview = await runExecutable(["help"]);
  expect(overview.code).toBe(0);
  for (const name of [
    "serve",
    "demo",
    "config",
    "health",
    "reload",
    "status",
    "enqueue",
    "dead",
    "apps",
    "sqs",
    "store",
    "keys",
    "sign",
    "verify",
    "completion",
    "man",
    "licenses",
    "version",
  ]) {
    expect(overview.stdout).toMatch(new RegExp(`\\n  hookline (\\S+\\|)*${name}\\b`));
    const own = await runExecutable(["help", name]);
    expect(own.code).toBe(0);
    expect(own.stdout).toStartWith(`usage: hookline ${name}`);
    expect((await runExecutable([name, "--help"])).stdout).toBe(own.stdout);
  }
});

test("help and --help of a subcommand say what it takes", async () => {
  const rows: [string[], string][] = [
    [["config", "check"], "[--json]"],
    [["config", "print"], "[--json]"],
    [["dead", "ls"], "QUEUE [FILTER]... [--limit N]"],
    [["sqs", "mv"], "FROM TO"],
    [["keys", "public"], "KEY|-"],
  ];
  for (const [words, synopsis] of rows) {
    const { code, stdout } = await runExecutable(["help", ...words]);
    expect({ words, code }).toEqual({ words, code: 0 });
    expect(stdout).toStartWith(`usage: hookline ${words.join(" ")} ${synopsis}`);
    expect((await runExecutable([...words, "--help"])).stdout).toBe(stdout);
  }
});

test("under --json what goes wrong is JSON on stderr, with the exit code it has without", async () => {
  using directory = temporaryDirectory();
  const bad = join(directory.path, "bad.json");
  writeFileSync(bad, JSON.stringify({ server: { port: -1 } }));
  const rows: [string[], number, object][] = [
    [["dead", "lst", "--json"], 2, { code: "usage", try: "hookline help dead" }],
    [["dead", "ls", "--json"], 2, { code: "usage", try: "hookline help dead ls" }],
    [["sevre", "--json"], 2, { code: "usage" }],
    [["health", "--json", "--url", "http://127.0.0.1:9"], 1, { code: "failed" }],
    [["health", "--json", "--config", bad], 78, { code: "configuration", issues: [{ path: "server.port" }] }],
    [["config", "print", "--json", "--config", bad], 78, { code: "configuration" }],
  ];
  for (const [args, exit, expected] of rows) {
    const { code, stdout, stderr } = await runExecutable(args);
    expect({ args, code, stdout }).toEqual({ args, code: exit, stdout: "" });
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(JSON.parse(stderr)).toMatchObject({ detail: expect.any(String), exit_code: exit, ...expected });
  }
});

test("a command line that cannot be understood exits 2 and says what was meant", async () => {
  const rows: [string[], string][] = [
    [["sevre"], 'no command "sevre" (did you mean "serve"?)'],
    [["serve", "--confg", "x"], '--confg (did you mean "--config"?)'],
    [["serve", "surplus"], "surplus"],
    [["health", "--raedy"], '--raedy (did you mean "--ready"?)'],
    [["health", "--url"], "--url needs a value"],
    [["health", "--url", "localhost"], "expected something like http://127.0.0.1:9640"],
    [["enqueue"], "QUEUE is missing"],
    [["dead", "lst"], 'no subcommand "lst" (did you mean "ls"?)'],
    [["dead", "redrive", "q"], "give ids, or filters as --endpoint, or --max N, or --all"],
    [["dead", "rm", "q"], "give ids, or filters as --endpoint, or --all"],
    [["dead", "redrive", "q", "--max", "none"], "expected an integer"],
    [["demo", "--kepe"], '--kepe (did you mean "--keep"?)'],
    [["help", "config", "chek"], 'no subcommand "chek" (did you mean "check"?)'],
    [["help", "serve", "x"], "serve has no subcommands"],
    [["help", "serv"], 'no command and no page "serv" (did you mean "serve"?)'],
    [["config", "chekc"], 'did you mean "check"?'],
  ];
  for (const [args, message] of rows) {
    const { code, stdout, stderr } = await runExecutable(args);
    expect({ args, code, stdout }).toEqual({ args, code: 2, stdout: "" });
    expect(stderr).toContain(message);
  }
});

test("a configuration that cannot be used stops the start with every issue and exit 78", async () => {
  using directory = temporaryDirectory();
  const file = join(directory.path, "bad.json");
  const apps = [{ id: "a", key: secret("key"), secret: secret("app"), webhooks: [{ url: "ftp://x/y" }] }];
  writeFileSync(
    file,
    JSON.stringify({ queue: { memory: { concurency: 3 } }, server: { port: 70_000 }, apps }),
  );
  for (const args of [["serve"], ["config", "check"]]) {
    const { code, stderr, stdout } = await runExecutable([...args, "--config", file], {
      env: { QUEUE_REDIS_CONCURRENCY: "five" },
    });
    expect(code).toBe(78);
    const said = stderr + stdout;
    expect(said).toContain(
      'queue.redis.concurrency (env QUEUE_REDIS_CONCURRENCY): expected an integer of at least 1, got "five"',
    );
    expect(said).toMatch(/queue\.memory\.concurency .*did you mean "concurrency"/);
    expect(said).toContain("server.port");
    expect(said).toContain("apps.0.webhooks.0.url");
  }
});

test("a configuration file that is missing, unreadable, a directory, not UTF-8 or not JSON exits 78 naming it", async () => {
  using directory = temporaryDirectory();
  const at = (name: string): string => join(directory.path, name);
  mkdirSync(at("folder"));
  writeFileSync(at("latin"), Buffer.from([0x7b, 0x22, 0xe9, 0x22, 0x3a, 0x31, 0x7d]));
  writeFileSync(at("syntax"), '{\n  "server": {\n    "port": 1,,\n  }\n}\n');
  writeFileSync(at("locked"), "{}");
  chmodSync(at("locked"), 0);
  const names = ["missing", "folder", "latin", "syntax"];
  // Root reads every file, whatever its mode says.
  if (process.getuid?.() !== 0) names.push("locked");
  for (const name of names) {
    const { code, stderr } = await runExecutable(["serve", "--config", at(name)]);
    expect({ name, code }).toEqual({ name, code: 78 });
    expect(stderr).toContain(at(name));
    if (name === "syntax") expect(stderr).toMatch(/line 3,? column 1[45]/);
  }
});

test("a port in use exits 1 and names the address", async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
  const { port } = taken.address() as { port: number };
  try {
    const { code, stderr } = await runExecutable(["serve"], { env: { HOOKLINE_PORT: String(port) } });
    expect(code).toBe(1);
    expect(stderr).toContain(`127.0.0.1:${port}`);
    expect(stderr).toMatch(/in use/);
  } finally {
    await new Promise((resolve) => taken.close(resolve));
  }
});

test("flags win over the environment, the environment over the file", async () => {
  using directory = temporaryDirectory();
  writeFileSync(
    join(directory.path, "hookline.json"),
    JSON.stringify({ log: { level: "debug" }, queue: { queues: ["a"] } }),
  );
  const env = { QUEUE_NAMES: "b,c", HOOKLINE_LOG__FORMAT: "json" };
  const cwd = directory.path;
  const printed = await runExecutable(["config", "print", "--set", "queue.memory.concurrency=9"], {
    env,
    cwd,
  });
  expect(printed.code).toBe(0);
  expect(printed.stdout).toContain("QUEUE_NAMES");
  expect(printed.stdout).toMatch(/concurrency.*9/);
  const schema = await runExecutable(["config", "schema"]);
  expect(JSON.parse(schema.stdout)).toMatchObject({ type: "object" });
});

test("config print shows no secret", async () => {
  using directory = temporaryDirectory();
  const file = join(directory.path, "hookline.json");
  const webhook = {
    url: `https://${secret("user")}:${secret("password")}@receiver.test/hooks/${secret("path")}?token=${secret("query")}`,
    event_types: ["member_added"],
    headers: { "x-api-key": `Bearer ${secret("header")}` },
  };
  writeFileSync(file, JSON.stringify(configFor([webhook], { server: { token: secret("token") } })));
  const { code, stdout } = await runExecutable(["config", "print", "--config", file]);
  expect(code).toBe(0);
  expect(stdout).toContain("receiver.test");
});

import { chmodSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { Agent, request as httpRequest } from "node:http";
import { dirname, join } from "node:path";
import { describe, expect, test } from "bun:test";
import { runExecutable, startExecutable, token, type Executable } from "../support/executable.ts";
import { answer, startReceiver } from "../support/receiver.ts";
import { until } from "../support/until.ts";
import { app, configFor, isSigned, jobNumberOf, jobsFrom } from "./scenario.ts";

const isLong = process.env["HOOKLINE_LONG"] === "1";

const webhook = (name: string, url: string, more: object = {}): object => ({
  name,
  url: `${url}/${name}`,
  event_types: ["channel_occupied"],
  breaker: { min_attempts: 1_000_000 },
  ...more,
});

const ofApp = (over: object, rest: object = {}): object => ({
  ...configFor([]),
  apps: [{ ...app, ...over }],
  ...rest,
});

interface Answer {
  readonly status: string;
  readonly changed: string[];
  readonly needs_restart: string[];
}
const reload = async (server: Executable, body?: object): Promise<Answer> => {
  const reply = await server.api("POST", "/v1/config/reload", body);
  expect([reply.status, reply.text]).toEqual([200, expect.any(String)]);
  return reply.body as Answer;
};
const reloadsLogged = (server: Executable): number =>
  server.logs().filter(({ msg }) => msg.startsWith("the configuration is re")).length;
const shown = async (server: Executable): Promise<unknown> =>
  (await server.api("GET", "/v1/config?limit=1000")).body;
const refusal = async (server: Executable): Promise<unknown> => {
  const health = (await server.api("GET", "/health")).body as { checks: Record<string, unknown> };
  return health.checks["config_refused"];
};

describe("a reload that is asked for", () => {
  test("puts apps, secrets, limits and the log's level in force, and says which keys changed", async () => {
    await using receiver = await startReceiver();
    await using server = await startExecutable(ofApp({ webhooks: [webhook("one", receiver.url)] }));
    server.configure(
      ofApp(
        {
          secret: "the-next-secret-of-this-app",
          webhooks: [webhook("one", receiver.url), webhook("two", receiver.url)],
        },
        { log: { level: "debug" }, webhooks: { max_in_flight: 500 } },
      ),
    );
    const cli = await runExecutable(["reload", "--url", server.url, "--token", token]);
    expect(cli).toMatchObject({ code: 0, stderr: "" });
    expect(cli.stdout.split("\n").sort()).toEqual(
      [
        "",
        "changed: apps.shop.secret",
        "changed: apps.shop.webhooks.two",
        "changed: log.level",
        "changed: webhooks.max_in_flight",
        "changed: webhooks.retry.initial_backoff_ms",
        "changed: webhooks.retry.max_backoff_ms",
      ].sort(),
    );
    await server.enqueue("webhooks", jobsFrom(0, 3));
    await receiver.waitForCount(6);
    expect(receiver.requests.every((one) => isSigned(one, "the-next-secret-of-this-app"))).toBe(true);
    await server.untilIdle("webhooks");
    expect(server.logs().filter(({ level, msg }) => level === "debug" && msg === "attempt")).toHaveLength(6);
    expect(await reload(server)).toEqual({ status: "unchanged", changed: [], needs_restart: [] });
    expect(server.output()).not.toContain("the-next-secret");
    const metrics = (await server.api("GET", "/metrics")).text;
    expect(metrics).toContain('hookline_config_reloads_total{result="reloaded"} 1');
    expect(await server.stop()).toBe(0);
  });

  test("refused: nothing changes, all issues are listed, /health is degraded until the next good one", async () => {
    await using receiver = await startReceiver();
    const good = ofApp({ webhooks: [webhook("one", receiver.url)] });
    await using server = await startExecutable(good);
    let next = 0;
    const posts = new AbortController();
    const posting = (async () => {
      while (!posts.signal.aborted) {
        await server.enqueue("webhooks", jobsFrom(next, 20));
        next += 20;
      }
    })();
    const before = await shown(server);
    server.configure({
      ...good,
      server: { port: 1 },
      supervisor: { max_restarts: 99 },
      apps: [
        { ...app, webhooks: [webhook("one", receiver.url), { url: "ftp://x/", event_types: ["a..b"] }] },
      ],
      nonsense: 1,
    });
    const answered = await server.api("POST", "/v1/config/reload");
    expect(answered.status).toBe(422);
    const { code, issues } = answered.body as { code: string; issues: { path: string }[] };
    expect(code).toBe("config_refused");
    expect(issues.map(({ path }) => path).sort()).toEqual(
      ["apps.0.webhooks.1.event_types.0", "apps.0.webhooks.1.url", "nonsense"].sort(),
    );
    const cli = await runExecutable(["reload", "--url", server.url, "--token", token]);
    expect(cli.code).toBe(78);
    expect(cli.stderr).toContain("nonsense");

    server.configure({
      ...good,
      server: { port: 1 },
      supervisor: { max_restarts: 99 },
      log: { level: "warn" },
    });
    const ofRestart = await server.api("POST", "/v1/config/reload", { partial: false });
    expect((ofRestart.body as { issues: { path: string }[] }).issues.map(({ path }) => path)).toEqual([
      "server.port",
      "supervisor.max_restarts",
    ]);
    expect(await shown(server)).toEqual(before);
    expect(await refusal(server)).toMatchObject({ status: "degraded" });
    const problems = (await server.api("GET", "/v1/problems")).body;
    expect(JSON.stringify(problems)).toContain("server.port");
    const logged = server.logs().filter(({ msg }) => msg.startsWith("the configuration is refused"));
    expect(logged).toHaveLength(3);

    const partial = await reload(server, { partial: true });
    expect(partial).toEqual({
      status: "reloaded",
      changed: ["log.level"],
      needs_restart: ["server.port", "supervisor.max_restarts"],
    });
    expect(await refusal(server)).toBeUndefined();
    server.configure(good);
    expect((await reload(server)).needs_restart).toEqual([]);
    posts.abort();
    await posting;
    await server.untilIdle("webhooks");
    expect(new Set(receiver.requests.map(jobNumberOf)).size).toBe(next);
    expect(await server.stop()).toBe(0);
  });

  test("SIGHUP reloads where stderr is no terminal, with reload.partial what can be; NAME_FILE files are read anew", async () => {
    const directory = join(dirname((await import("node:os")).tmpdir()), "tmp");
    const secretFile = join(directory, `hookline-reload-${process.pid}.txt`);
    writeFileSync(secretFile, "first-token-in-a-file\n");
    try {
      await using server = await startExecutable(
        { ...configFor([]), server: { token: null }, reload: { partial: true } },
        { env: { HOOKLINE_TOKEN_FILE: secretFile }, waitReady: false },
      );
      const asks = async (bearer: string): Promise<number> =>
        (await server.api("GET", "/v1/queues", undefined, { authorization: `Bearer ${bearer}` })).status;
      expect([await asks("first-token-in-a-file"), await asks("second-token-in-a-file")]).toEqual([200, 401]);
      writeFileSync(secretFile, "second-token-in-a-file\n");
      server.configure({
        ...configFor([]),
        server: { token: null },
        reload: { partial: true },
        supervisor: { max_restarts: 3 },
      });
      server.signal("SIGHUP");
      await until(() => reloadsLogged(server) === 1, { what: "the reload" });
      expect([await asks("first-token-in-a-file"), await asks("second-token-in-a-file")]).toEqual([401, 200]);
      expect(server.logs().find(({ by }) => by === "signal")).toMatchObject({
        needs_restart: ["supervisor.max_restarts"],
      });
      expect(server.output()).not.toContain("token-in-a-file");
      expect(await server.stop()).toBe(0);
    } finally {
      rmSync(secretFile, { force: true });
    }
  });

  test("SIGHUP ends a server whose stderr is a terminal, and the demo", async () => {
    const { ensureExecutable } = await import("../support/executable.ts");
    const path = await ensureExecutable();
    // `script` gives its command a terminal.
    const command = `${path} serve --set server.port=0 & child=$!; sleep 0.1; echo started $child; wait $child; echo ended $?`;
    const terminal = Bun.spawn(["script", "-qefc", `sh -c '${command}'`, "/dev/null"], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "ignore",
      env: { PATH: process.env["PATH"] ?? "", TERM: "dumb" },
    });
    const demo = Bun.spawn([path, "demo"], { stdin: "ignore", stdout: "ignore", stderr: "pipe", env: {} });
    let output = "";
    const reading = (async () => {
      for await (const chunk of terminal.stdout) output += new TextDecoder().decode(chunk);
    })();
    try {
      await until(() => output.includes("ready"), { what: "the server on a terminal" });
      const pid = await until(() => /started (\d+)\s/.exec(output)?.[1], { what: "its process id" });
      process.kill(Number(pid), "SIGHUP");
      await until(() => output.includes("ended 0"), { what: "its end" });
      let text = "";
      for await (const chunk of demo.stderr) {
        text += new TextDecoder().decode(chunk);
        if (/verified|delivered|POST/.test(text)) break;
      }
      demo.kill("SIGHUP");
      expect(await demo.exited).toBe(0);
    } finally {
      terminal.kill("SIGKILL");
      demo.kill("SIGKILL");
      await reading;
    }
  });
});

test("reload.watch: a rename, a swapped symbolic link, half a file, an empty one, none, and one that may not be read", async () => {
  const withLevel = (level: string): object => ({
    ...configFor([]),
    reload: { watch: true },
    log: { level },
  });
  await using server = await startExecutable(withLevel("info"));
  const { file } = server;
  const changes = (): number =>
    server.logs().filter(({ msg, by }) => by === "watch" && msg === "the configuration is reloaded").length;
  const refusals = (): number =>
    server.logs().filter(({ msg }) => msg.startsWith("the configuration is refused")).length;
  const reloads = (count: number, what: string) => until(() => changes() === count, { what });
  const refuses = (count: number, what: string) => until(() => refusals() === count, { what });

  server.configure(withLevel("debug"));
  await reloads(1, "a file replaced by rename");

  // As Kubernetes does it: file -> ..data/config.json, ..data -> a folder of its own; ..data is swapped.
  const directory = dirname(file);
  for (const [name, level] of [
    ["one", "info"],
    ["two", "debug"],
  ] as const) {
    mkdirSync(join(directory, name));
    writeFileSync(join(directory, name, "config.json"), server.configText(withLevel(level)));
  }
  symlinkSync("one", join(directory, "..data"));
  symlinkSync(join("..data", "config.json"), `${file}.link`);
  renameSync(`${file}.link`, file);
  await reloads(2, "a file that became a symbolic link");
  symlinkSync("two", join(directory, "..data.next"));
  renameSync(join(directory, "..data.next"), join(directory, "..data"));
  await reloads(3, "a swapped symbolic link");

  rmSync(file);
  await refuses(1, "a file that is gone");
  const text = server.configText(withLevel("info"));
  writeFileSync(file, text.slice(0, text.length / 2));
  await refuses(2, "half a file");
  writeFileSync(file, "");
  await refuses(3, "an empty file");
  expect(await refusal(server)).toMatchObject({ status: "degraded" });
  writeFileSync(file, text);
  await reloads(4, "a whole file");
  expect(await refusal(server)).toBeUndefined();

  // Root may read any file.
  if (process.getuid?.() !== 0) {
    chmodSync(file, 0o000);
    await refuses(4, "a file that may not be read");
    chmodSync(file, 0o600);
    await until(async () => (await refusal(server)) === undefined, { what: "a file that may be read again" });
  }
  // One that is written in two steps at once is read when it is whole.
  const refusedBefore = refusals();
  writeFileSync(file, text.slice(0, 40));
  writeFileSync(file, server.configText(withLevel("debug")));
  await reloads(5, "a file written in two steps");
  expect(refusals()).toBe(refusedBefore);
  expect(await server.stop()).toBe(0);
}, 60_000);

/** One request after another over one connection. */
function createKeptConnection(server: Executable) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ports = new Set<number>();
  const post = (path: string, body: unknown): Promise<number> =>
    new Promise((resolve, reject) => {
      const text = JSON.stringify(body);
      const sent = httpRequest(
        server.url + path,
        {
          agent,
          method: "POST",
          headers: {
            authorization: `Bearer ${token}`,
            "content-type": "application/json",
            "content-length": Buffer.byteLength(text),
          },
        },
        (response) => {
          response.resume();
          response.on("end", () => resolve(response.statusCode ?? 0));
          response.on("error", reject);
        },
      );
      sent.on("socket", (socket) => {
        const note = (): void => void ports.add(socket.localPort ?? 0);
        if (socket.localPort === undefined) socket.once("connect", note);
        else note();
      });
      sent.on("error", reject);
      sent.end(text);
    });
  return { post, ports, close: () => agent.destroy() };
}

const [reloadCount, forMs, perSecond] = isLong ? [200, 20_000, 2_000] : [30, 3_000, 500];

test(`${reloadCount} reloads in ${forMs / 1000} s under ${perSecond} jobs/s: each job is delivered or dead for its reason, and no attempt, connection or loop is cut`, async () => {
  await using receiver = await startReceiver({ record: false });
  const valid = new Map<string, { readonly secret: string; until: number }[]>();
  const delivered = new Map<string, Set<number>>();
  const bad: string[] = [];
  let open = 0;
  receiver.behave((request) => {
    const name = request.path.slice(1);
    const secrets = (valid.get(name) ?? []).filter(({ until: end }) => request.at < end + 2_000);
    if (!secrets.some(({ secret }) => isSigned(request, secret))) bad.push(`${name} ${jobNumberOf(request)}`);
    delivered.set(name, (delivered.get(name) ?? new Set()).add(jobNumberOf(request)));
    open += 1;
    return answer(200, { delayMs: request.at % 2 < 1 ? 0 : 20 });
  });
  const configAt = (step: number): object => {
    const secret = `secret-of-step-${step}-of-this-test`;
    const names = ["always", `renamed-${Math.floor(step / 4)}`, ...(step % 2 === 0 ? ["even"] : [])];
    const now = performance.now();
    for (const [, list] of valid) for (const one of list) one.until = Math.min(one.until, now + 1_000);
    for (const name of names) valid.set(name, [...(valid.get(name) ?? []), { secret, until: Infinity }]);
    return ofApp({ secret, webhooks: names.map((name) => webhook(name, receiver.url)) });
  };
  await using server = await startExecutable(configAt(0));
  const kept = createKeptConnection(server);
  const startedAt = performance.now();
  let posted = 0;
  const failures: number[] = [];
  const posting = (async () => {
    while (performance.now() - startedAt < forMs) {
      const due = Math.floor(((performance.now() - startedAt) / 1000) * perSecond) - posted;
      if (due < 20) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        continue;
      }
      const status = await kept.post("/v1/queues/webhooks/jobs", jobsFrom(posted, Math.min(due, 200)));
      if (status !== 202) failures.push(status);
      posted += Math.min(due, 200);
    }
  })();
  const rss = async (): Promise<number> =>
    Number(
      /^hookline_process_resident_memory_bytes (\d+)/m.exec((await server.api("GET", "/metrics")).text)?.[1],
    );
  let early = 0;
  for (let step = 1; step <= reloadCount; step += 1) {
    const dueAt = startedAt + (step * forMs) / reloadCount;
    await until(() => performance.now() >= dueAt, { what: "the next reload's time", everyMs: 5 });
    server.configure(configAt(step));
    expect((await reload(server)).status).toBe("reloaded");
    if (step === Math.floor(reloadCount / 4)) early = await rss();
  }
  await posting;
  await server.untilIdle("webhooks", 120_000);
  const late = await rss();
  kept.close();

  expect(failures).toEqual([]);
  expect(bad).toEqual([]);
  expect(kept.ports.size).toBe(1);
  expect(delivered.get("always")?.size).toBe(posted);
  const stats = await server.stats();
  expect(stats["parked"]).toBe(0);
  const dead: { reason: string; endpoint: string }[] = [];
  for (let cursor: string | null = ""; cursor !== null;) {
    const page = (
      await server.api("GET", `/v1/queues/webhooks/dead?limit=1000${cursor && `&cursor=${cursor}`}`)
    ).body as { items: typeof dead; cursor: string | null };
    dead.push(...page.items);
    ({ cursor } = page);
  }
  for (const { reason, endpoint } of dead) {
    expect(["unknown_endpoint", "endpoint_removed"]).toContain(reason);
    expect(endpoint).not.toBe("shop/always");
  }
  const metrics = (await server.api("GET", "/metrics")).text;
  expect(metrics).not.toMatch(/hookline_worker_restarts_total\{[^}]*\} [1-9]/);
  expect(metrics).not.toMatch(/hookline_leases_lost_total\{[^}]*\} [1-9]/);
  expect(metrics).not.toMatch(/outcome="aborted"\} [1-9]/);
  const sum = (name: string): number =>
    [...metrics.matchAll(new RegExp(`^${name}\\{[^}]*\\} (\\d+)`, "gm"))].reduce(
      (total, one) => total + Number(one[1]),
      0,
    );
  const acked = Number(
    /hookline_jobs_settled_total\{queue="webhooks",disposition="ack"\} (\d+)/.exec(metrics)?.[1],
  );
  expect(acked + dead.length).toBe(posted + sum("hookline_jobs_expanded_total"));
  expect(open).toBe(acked);
  // Flat: what a reload leaves behind would add up.
  expect(late - early).toBeLessThan(isLong ? 120e6 : 80e6);
  expect(await server.stop()).toBe(0);
}, 240_000);

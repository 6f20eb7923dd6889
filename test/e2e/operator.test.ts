import { expect, test } from "bun:test";
import { createServer, type AddressInfo } from "node:net";
import { ensureExecutable, runExecutable, startExecutable } from "../support/executable.ts";
import { answer, startReceiver } from "../support/receiver.ts";
import { until } from "../support/until.ts";
import { app, configFor, jobsFrom } from "./scenario.ts";

/** What people who operate hookline found when they did: each test cites the finding it keeps away. */

// Finding: removed dead letters were not counted, so that the last line's counts did not add up.
test("dead letters removed, redriven and left: the last line's counts add up", async () => {
  await using receiver = await startReceiver({ behaviour: answer(404) });
  const hooks = ["one", "two"].map((name) => ({ name, url: receiver.url }));
  await using server = await startExecutable(configFor(hooks));
  await server.enqueue("webhooks", jobsFrom(0, 10));
  await until(async () => (await server.stats())["dead"] === 20, { what: "20 dead letters" });

  const { items } = (await server.api("GET", "/v1/queues/webhooks/dead?limit=100")).body as {
    items: { id: string; job: { id: string } }[];
  };
  for (const { id } of items.filter((item) => item.job.id === "job-0" || item.job.id === "job-1")) {
    expect((await server.api("DELETE", `/v1/queues/webhooks/dead/${id}`)).status).toBe(204);
  }
  receiver.behave(answer(200));
  const redriven = await server.api("POST", "/v1/queues/webhooks/dead/redrive", { ids: ["job-2", "job-0"] });
  expect(redriven.body).toMatchObject({ redriven: 2, not_found: ["job-0"] });
  await server.untilIdle();
  const metrics = (await server.api("GET", "/metrics")).text;
  expect(metrics).toContain('hookline_dead_letters_removed_total{queue="webhooks"} 4');
  expect(metrics).toContain('hookline_dead_letters_redriven_total{queue="webhooks"} 2');

  expect(await server.stop()).toBe(0);
  const last = server.logs().at(-1) as unknown as Record<string, number>;
  expect(last).toMatchObject({
    enqueued: 10,
    expanded: 10,
    delivered: 2,
    dead: 14,
    dead_removed: 4,
    left_behind: 0,
  });
  const ended = [
    "delivered",
    "filtered_out",
    "dead",
    "dead_removed",
    "dead_trimmed",
    "evicted",
    "left_behind",
  ];
  expect(ended.reduce((sum, name) => sum + last[name]!, 0)).toBe(last["enqueued"]! + last["expanded"]!);
});

// Finding: `(x+x+)+y|!` stopped the process for 0.4 s, and the event was acked as filtered out.
test("a costly channel pattern neither loses an event nor holds up others", async () => {
  await using receiver = await startReceiver();
  const filter = { channel_pattern: "(x+x+)+y|!" };
  await using server = await startExecutable(configFor([{ url: receiver.url, filter }]));
  const names = Array.from({ length: 60 }, () => `${"x".repeat(60)}!`);
  const events = names.map((channel) => ({ name: "channel_occupied", channel }));
  const startedAt = performance.now();
  await server.enqueue("webhooks", { app_id: app.id, payload: { time_ms: 1, events } });
  expect(JSON.parse((await receiver.waitFor(1)).text)).toMatchObject({ events });
  // Backtracking took 0.4 s for each.
  expect(performance.now() - startedAt).toBeLessThan(15_000);
  expect(await server.stop()).toBe(0);
  expect(server.logs().at(-1)).toMatchObject({ delivered: 1, filtered_out: 0 });
});

// Finding: the last line of the driver none said nothing of the jobs it had discarded.
test("on the driver none the last line counts what was discarded", async () => {
  await using server = await startExecutable(configFor([], { queue: { driver: "none" } }));
  expect((await server.api("POST", "/v1/queues/webhooks/jobs", jobsFrom(0, 7))).status).toBe(200);
  expect(await server.stop()).toBe(0);
  expect(server.logs().at(-1)).toMatchObject({ msg: "stopped", enqueued: 0, discarded: 7 });
});

test("under nohup SIGHUP stays ignored", async () => {
  const command = ["nohup", await ensureExecutable()];
  await using server = await startExecutable(configFor([]), { command });
  server.signal("SIGHUP");
  expect(await server.stop("SIGTERM")).toBe(0);
  expect(server.logs().filter(({ msg }) => msg === "signal received")).toEqual([
    expect.objectContaining({ signal: "SIGTERM" }),
  ]);
});

// Finding: a failed start logged its draining and a line of nulls around the one line that helps.
test("a start that fails says why, and that alone", async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
  const { port } = taken.address() as AddressInfo;
  const cases = [
    [{ HOOKLINE_PORT: String(port) }, "port_in_use", `127.0.0.1:${port} is in use`],
    [{ HOOKLINE_HOST: "nowhere.invalid" }, "host_unavailable", "server.host: cannot resolve nowhere.invalid"],
  ] as const;
  try {
    for (const [given, code, reason] of cases) {
      const env = { ...given, LOG_FORMAT: "json", HOOKLINE_TOKEN: "a-token-of-this-test" };
      const ended = await runExecutable(["serve"], { env });
      const lines = ended.stderr
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as { level: string });
      expect({ code: ended.code, lines: lines.filter(({ level }) => level !== "warn") }).toEqual({
        code: 1,
        lines: [
          expect.objectContaining({
            level: "error",
            msg: "hookline cannot start",
            code,
            reason: expect.stringContaining(reason),
          }),
        ],
      });
    }
  } finally {
    await new Promise((resolve) => taken.close(resolve));
  }
});

// Finding: output that could not be written ended with 0, so that a script went on with half a file.
test("output that cannot be written exits 1; a reader that has seen enough is no failure", async () => {
  const executable = await ensureExecutable();
  const shell = (script: string) => runExecutable(["-c", script], { command: ["bash"] });
  const full = await shell(`${executable} config schema >/dev/full`);
  expect(full).toMatchObject({ code: 1, stderr: "hookline: standard output: no space left on the device\n" });
  const closed = await shell(`${executable} config schema >&-`);
  expect(closed).toMatchObject({ code: 1, stderr: "hookline: standard output: it is closed\n" });
  const piped = await shell(`${executable} config schema | true; exit \${PIPESTATUS[0]}`);
  expect(piped).toMatchObject({ code: 0, stderr: "" });
  expect((await shell(`${executable} version >/dev/null`)).code).toBe(0);
});

test("help of what is no command leads to the list of commands", async () => {
  // Finding: it said `try: hookline help help`.
  const { code, stderr } = await runExecutable(["help", "nope"]);
  expect([code, stderr]).toEqual([2, 'hookline: no command and no page "nope"\ntry: hookline help\n']);
});

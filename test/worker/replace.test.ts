import { createHmac } from "node:crypto";
import { describe, expect, test } from "bun:test";
import { answer, startReceiver, type ReceivedRequest } from "../support/receiver.ts";
import { app, jobIdOf, newJobs, startWorker } from "../support/worker.ts";
import { until } from "../support/until.ts";

const signedWith = (secret: string, { text, headers }: ReceivedRequest): boolean =>
  headers["x-pusher-signature"] === createHmac("sha256", secret).update(text).digest("hex");

/** An app `shop` with another secret. */
const withSecret = (secret: string, webhooks: readonly object[]) => ({
  config: { apps: [{ ...app, secret, webhooks }] as never },
});

const hook = (name: string, url: string, more: object = {}) => ({
  name,
  url,
  event_types: ["channel_occupied"],
  breaker: { min_attempts: 1_000_000_000 },
  ...more,
});

describe("another configuration while jobs are in work", () => {
  test("attempts in flight end under the old secret, and what waits goes out under the new one", async () => {
    await using receiver = await startReceiver({ behaviour: answer(200, { delayMs: 300 }) });
    await using bench = await startWorker({
      config: { apps: [{ ...app, webhooks: [hook("one", receiver.url)] }] },
    });
    await bench.put(newJobs(40));
    await receiver.waitForCount(5);
    const inFlight = receiver.count;
    bench.replace(withSecret("the-next-secret", [hook("one", receiver.url)]));
    await bench.untilEmpty();
    expect(receiver.count).toBe(40);
    expect(receiver.requests.slice(0, inFlight).every((one) => signedWith(app.secret, one))).toBe(true);
    expect(receiver.requests.slice(inFlight).every((one) => signedWith("the-next-secret", one))).toBe(true);
    expect(bench.settled("ack")).toBe(40);
    expect(bench.metrics.restarts.labels({ child: "webhooks/loop" }).value).toBe(0);
  });

  test("a webhook that is added gets the events of jobs that were held, and not of those in flight", async () => {
    await using one = await startReceiver({ behaviour: answer(200, { delayMs: 200 }) });
    await using two = await startReceiver();
    await using bench = await startWorker({ webhooks: [hook("one", one.url)] });
    await bench.put(newJobs(30));
    await one.waitForCount(5);
    const begun = new Set(one.requests.map(jobIdOf));
    bench.replace({ webhooks: [hook("one", one.url), hook("two", two.url)] });
    await bench.untilEmpty();
    expect(one.requests.map(jobIdOf).sort()).toEqual(
      newJobs(30)
        .map(({ id }) => id)
        .sort(),
    );
    expect(two.requests.map(jobIdOf).sort()).toEqual(
      newJobs(30)
        .map(({ id }) => id)
        .filter((id) => !begun.has(id))
        .sort(),
    );
    expect(await bench.dead()).toEqual([]);
  });

  test("a webhook that is removed is let go: its held and parked jobs are dead, what is in flight ends, and nothing is kept of it", async () => {
    await using stays = await startReceiver();
    await using goes = await startReceiver({ behaviour: answer(200, { delayMs: 400 }) });
    const both = [hook("goes", goes.url), hook("stays", stays.url, { event_types: ["other"] })];
    await using bench = await startWorker({ webhooks: both });
    await bench.put(newJobs(300));
    await goes.waitForCount(5);
    const started = goes.count;
    const change = bench.replace({ webhooks: [hook("stays", stays.url, { event_types: ["*"] })] });
    expect(change.removed.map(({ label }) => label)).toEqual(["shop/goes"]);
    await bench.untilEmpty();
    expect(goes.count).toBe(started);
    // Those that were bound to it are dead; those that had not been looked at go where they are wanted now.
    const dead = await bench.dead();
    expect(dead.length + stays.count + started).toBe(300);
    expect(new Set(dead.map(({ reason, endpoint }) => `${reason} ${endpoint}`))).toEqual(
      new Set(dead.length === 0 ? [] : ["endpoint_removed shop/goes"]),
    );
    expect(bench.gates.all().map(({ endpoint }) => endpoint.label)).toEqual(["shop/stays"]);
    await until(async () => !(await bench.metrics.registry.render()).includes("shop/goes"), {
      what: "no series of the endpoint that is gone",
    });
    expect(bench.consumption.waiting()).toEqual([]);
  });

  test("breaker and mode stay with an endpoint that keeps its name, and its settings change in place", async () => {
    await using receiver = await startReceiver({ behaviour: answer(500) });
    const fragile = { breaker: { min_attempts: 3, open_ms: 600_000 } };
    await using bench = await startWorker({ webhooks: [hook("one", receiver.url, fragile)] });
    await bench.put(newJobs(5));
    const gate = () => bench.gates.all()[0]!;
    await until(() => gate().breaker === "open", { what: "an open breaker" });
    bench.replace({ webhooks: [hook("one", receiver.url, { ...fragile, headers: { "x-new": "1" } })] });
    expect(gate().breaker).toBe("open");
    expect(gate().endpoint.headers).toEqual([["x-new", "1"]]);
    await bench.gates.setMode(gate().endpoint, "paused");
    bench.replace({ webhooks: [hook("one", receiver.url, { breaker: { min_attempts: 3, open_ms: 1 } })] });
    expect(gate().mode).toBe("paused");
    receiver.behave(answer(200));
    bench.replace({
      webhooks: [hook("one", receiver.url), hook("two", receiver.url, { event_types: ["x"] })],
    });
    expect(bench.gates.all().map(({ mode }) => mode)).toEqual(["paused", "enabled"]);
    await bench.gates.setMode(gate().endpoint, "enabled");
    await bench.untilEmpty();
    expect(bench.settled("ack")).toBe(5);
  });

  test("an endpoint's own concurrency and its rate limit change in place", async () => {
    let most = 0;
    let open = 0;
    await using receiver = await startReceiver({
      behaviour: () => {
        open += 1;
        most = Math.max(most, open);
        setTimeout(() => (open -= 1), 50);
        return answer(200, { delayMs: 50 });
      },
    });
    await using bench = await startWorker({
      config: { queue: { memory: { concurrency: 10 } } },
      webhooks: [hook("one", receiver.url, { rate_limit: { per_second: 0.01, burst: 1 } })],
    });
    await bench.put(newJobs(60));
    await receiver.waitForCount(1);
    const config = { queue: { memory: { concurrency: 10 } } } as const;
    bench.replace({ config, webhooks: [hook("one", receiver.url, { concurrency: 2 })] });
    await bench.untilEmpty();
    expect(receiver.count).toBe(60);
    expect(most).toBeLessThanOrEqual(2);
  });

  test("an app that has not changed keeps its objects, and what waits for it is not planned again", async () => {
    await using slow = await startReceiver({ behaviour: answer(200, { delayMs: 100 }) });
    const other = { id: "other", key: "other-key", secret: "other-secret", webhooks: [hook("x", slow.url)] };
    const apps = (secret: string) => [
      { ...app, webhooks: [hook("one", slow.url)] },
      { ...other, secret },
    ];
    await using bench = await startWorker({ config: { apps: apps("a-secret") } });
    const [before] = bench.live.directory.apps;
    const change = bench.replace({ config: { apps: apps("b-secret") } });
    expect(bench.live.directory.apps[0]).toBe(before);
    expect(change.changed.map(({ after }) => after.label)).toEqual(["other/x"]);
    expect([change.added, change.removed]).toEqual([[], []]);
  });
});

test("200 replacements under load: each job ends once per webhook in force, or dead for the webhook that went", async () => {
  await using receiver = await startReceiver({ record: false });
  const seen = new Map<string, Set<string>>();
  const bad: string[] = [];
  const secrets = new Map<string, { readonly secret: string; readonly until: number }[]>();
  receiver.behave((request) => {
    const name = request.path.slice(1);
    const ids = seen.get(name) ?? new Set();
    seen.set(name, ids.add(jobIdOf(request)));
    const known = secrets.get(name) ?? [];
    // An attempt that began before a replacement arrives a moment after it.
    const valid = known.filter(({ until: end }) => request.at - end < 2_000);
    if (!valid.some(({ secret }) => signedWith(secret, request))) bad.push(`${name} ${jobIdOf(request)}`);
    return answer(200);
  });
  const setup = (step: number) => {
    const secret = `secret-number-${step}`;
    const names = ["always", `third-${Math.floor(step / 3)}`, ...(step % 2 === 0 ? ["even"] : [])];
    const now = performance.now();
    for (const list of secrets.values()) {
      for (const one of list) if (one.until === Infinity) Object.assign(one, { until: now });
    }
    for (const name of names) secrets.set(name, [...(secrets.get(name) ?? []), { secret, until: Infinity }]);
    return withSecret(
      secret,
      names.map((name) => hook(name, `${receiver.url}/${name}`)),
    );
  };
  await using bench = await startWorker(setup(0));
  const total = 1_000;
  for (let step = 1; step <= 200; step += 1) {
    await bench.put(newJobs(total / 200, `job-${step}`));
    bench.replace(setup(step));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await bench.untilEmpty();
  const ids = Array.from({ length: 200 }, (_, step) => newJobs(total / 200, `job-${step + 1}`)).flat();
  const dead = await bench.dead();
  expect(bad).toEqual([]);
  expect([...(seen.get("always") ?? [])].sort()).toEqual(ids.map(({ id }) => id).sort());
  expect(new Set(dead.map(({ reason }) => reason)).difference(new Set(["endpoint_removed"]))).toEqual(
    new Set(),
  );
  expect(dead.filter(({ endpoint }) => endpoint === "shop/always")).toEqual([]);
  const expanded = bench.metrics.expanded.labels({ queue: "webhooks" }).value;
  expect(bench.settled("ack") + dead.length).toBe(total + expanded);
  const series = await bench.metrics.registry.render();
  const labels = new Set(series.match(/shop\/[a-z0-9-]+/g));
  expect(labels).toEqual(new Set(bench.gates.all().map(({ endpoint }) => endpoint.label)));
}, 120_000);

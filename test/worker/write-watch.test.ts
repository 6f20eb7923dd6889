import { afterEach, expect, test } from "bun:test";
import { DriverUnavailableError } from "../../src/errors.ts";
import type { QueueDriver } from "../../src/queue/driver.ts";
import { sockudoJob, startAdmin, type Admin } from "../admin/start-admin.ts";
import { until } from "../support/until.ts";

const running: Admin[] = [];
afterEach(async () => {
  for (const admin of running.splice(0)) await admin.stop();
});

async function start(setup: Parameters<typeof startAdmin>[0]): Promise<Admin> {
  const admin = await startAdmin(setup);
  running.push(admin);
  return admin;
}

const post = async (admin: Admin, queue = "webhooks"): Promise<number> =>
  (await admin.post(`/v1/queues/${queue}/jobs`, sockudoJob())).status;
const readiness = async (admin: Admin): Promise<number> => (await admin.get("/health/ready")).status;

async function checkOf(
  admin: Admin,
): Promise<{ status: string; check: Record<string, unknown> | undefined }> {
  const { status, checks } = (await (await admin.get("/health")).json()) as {
    status: string;
    checks: Record<string, Record<string, unknown>>;
  };
  return { status, check: checks["backend_refuses_writes"] };
}

/** Takes everything off a queue, as its worker would. */
async function drain({ memory }: Admin, queue: string): Promise<void> {
  const options = { max: 100, leaseMs: 60_000, waitMs: 0, closedKeys: new Set<string>(), parkedMax: 100 };
  const leases = await memory.lease(queue, { ...options, signal: new AbortController().signal });
  await memory.settle(leases.map((lease) => ({ verb: "ack", lease })));
}

test("a full queue is degraded and not ready, and both end when it is drained, without a producer", async () => {
  const admin = await start({ config: { queue: { memory: { capacity: 2, when_full: "reject" } } } });
  expect([await post(admin), await post(admin), await readiness(admin)]).toEqual([202, 202, 503]);
  expect(await post(admin)).toBe(503);
  expect(await checkOf(admin)).toMatchObject({
    status: "degraded",
    check: { detail: "the backend refuses writes (full)", queues: ["webhooks"] },
  });
  await drain(admin, "webhooks");
  await until(async () => (await checkOf(admin)).status === "ok", { what: "the end", everyMs: 50 });
  expect([await readiness(admin), await post(admin)]).toEqual([200, 202]);
  const told = (text: string): number => admin.logged.filter((line) => line.includes(text)).length;
  expect([told("refuses writes"), told("takes writes again")]).toEqual([1, 1]);
});

test("while one of two queues takes writes the process is ready", async () => {
  const admin = await start({
    config: { queue: { queues: ["webhooks", "mails"], memory: { capacity: 1, when_full: "reject" } } },
  });
  expect([await post(admin), await post(admin)]).toEqual([202, 503]);
  expect(await readiness(admin)).toBe(200);
  expect((await checkOf(admin)).check).toMatchObject({ queues: ["webhooks"] });
  expect(await post(admin, "mails")).toBe(202);
  await until(async () => (await readiness(admin)) === 503, { what: "both to be full", everyMs: 50 });
});

test("a batch of which the end is refused counts as refused, and one job that cannot be taken does not", async () => {
  const admin = await start({ config: { queue: { memory: { capacity: 2, when_full: "reject" } } } });
  const grouped = await admin.post("/v1/queues/webhooks/jobs", sockudoJob("room", { group: "g" }));
  expect(grouped.status).toBe(422);
  expect((await checkOf(admin)).status).toBe("ok");
  const batch = await admin.post(
    "/v1/queues/webhooks/jobs",
    [1, 2, 3].map(() => sockudoJob()),
  );
  expect(batch.status).toBe(202);
  expect((await checkOf(admin)).check).toBeDefined();
});

test("where the backend cannot be asked, producers are let in again after 15 s, and the problem ends with a success or time", async () => {
  let nowMs = 0;
  let isDenied = true;
  const withoutProbe = (memory: QueueDriver): QueueDriver => {
    const driver: QueueDriver = {
      ...memory,
      enqueue: async (queue, jobs) => {
        if (isDenied) throw new DriverUnavailableError("sqs: denied", { refusal: "AccessDenied" });
        return memory.enqueue(queue, jobs);
      },
    };
    delete (driver as { probeWrite?: unknown }).probeWrite;
    return driver;
  };
  const admin = await start({
    clock: { now: () => Date.now(), monotonic: () => nowMs },
    driver: withoutProbe,
  });
  expect([await readiness(admin), await post(admin), await readiness(admin)]).toEqual([200, 503, 503]);
  expect((await checkOf(admin)).check).toMatchObject({ detail: "the backend refuses writes (AccessDenied)" });
  nowMs = 15_001;
  expect(await readiness(admin)).toBe(200);
  expect((await checkOf(admin)).status).toBe("degraded");
  expect([await post(admin), await readiness(admin)]).toEqual([503, 503]);
  isDenied = false;
  expect([await post(admin), await readiness(admin)]).toEqual([202, 200]);
  expect((await checkOf(admin)).status).toBe("ok");

  isDenied = true;
  expect(await post(admin)).toBe(503);
  nowMs += 300_001;
  await until(async () => (await checkOf(admin)).status === "ok", { what: "it to be dropped", everyMs: 50 });
  expect(admin.logged.some((line) => line.includes("nobody has tried for long"))).toBe(true);
});

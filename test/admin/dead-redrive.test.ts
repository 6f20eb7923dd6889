import { expect, test } from "bun:test";
import { createNamedRedrive } from "../../src/admin/dead-redrive.ts";
import type { AdminDeps } from "../../src/admin/deps.ts";
import { HooklineError } from "../../src/errors.ts";
import { deliveryId, sha256Hex } from "../../src/jobs/id.ts";
import { createMetrics } from "../../src/metrics.ts";
import { testEndpoint } from "../support/endpoint.ts";

const hash = (name: string): string => sha256Hex(name).slice(0, 8);

/** A driver that knows only what it has listed, as SQS does, and refuses a call that names anything else. */
function setUp(listed: readonly string[], names: readonly string[] = ["a", "b"]) {
  const left = new Set(listed);
  const calls: (readonly string[])[] = [];
  const metrics = createMetrics();
  const redrive = async (_queue: string, { ids }: { ids: readonly string[] }): Promise<number> => {
    calls.push(ids);
    if (!ids.every((id) => left.has(id))) throw new HooklineError("list_first", "list them first");
    for (const id of ids) left.delete(id);
    return ids.length;
  };
  const deps = {
    driver: { capabilities: { listsDeadLetters: false }, redrive },
    live: {
      directory: {
        endpoints: names.map((name) =>
          testEndpoint({ name, nameHash: hash(name), formerName: "receiver.test-1a2b3c" }),
        ),
      },
    },
    metrics,
  };
  const run = createNamedRedrive(deps as unknown as AdminDeps);
  return { run: (ids: string[]) => run("webhooks", ids), calls, left, metrics };
}

test("ids that are all listed take one call", async () => {
  const { run, calls, metrics } = setUp(["x", "y"]);
  expect(await run(["x", "y", "x"])).toEqual({ redriven: 2, notFound: [] });
  expect(calls).toEqual([["x", "y"]]);
  expect(metrics.redriven.labels({ queue: "webhooks" }).value).toBe(2);
});

test("one that is not listed does not keep the others back, and is named", async () => {
  const { run, left } = setUp(["x", "y"]);
  expect(await run(["x", "gone", "y"])).toEqual({ redriven: 2, notFound: ["gone"] });
  expect(left.size).toBe(0);
});

test("a job's id takes those of its deliveries that are listed", async () => {
  const { run, left } = setUp([deliveryId("job", hash("b")), deliveryId("other", hash("b"))]);
  expect(await run(["job"])).toEqual({ redriven: 1, notFound: [] });
  expect([...left]).toEqual([deliveryId("other", hash("b"))]);
});

test("a job's id takes a delivery that 0.1 named after the endpoint's URL", async () => {
  const { run, left } = setUp([deliveryId("job", hash("receiver.test-1a2b3c"))], ["webhook"]);
  expect(await run(["job"])).toEqual({ redriven: 1, notFound: [] });
  expect(left.size).toBe(0);
});

test("an id that hookline had to replace is found under what it became", async () => {
  const safe = sha256Hex("order.1").slice(0, 32);
  const { run, left } = setUp([deliveryId(safe, hash("a")), safe]);
  expect(await run(["order.1"])).toEqual({ redriven: 2, notFound: [] });
  expect(left.size).toBe(0);
});

test("where none is listed, the driver's own advice comes out", async () => {
  await expect(setUp(["x"]).run(["gone"])).rejects.toMatchObject({ code: "list_first" });
});

import { expect, test } from "bun:test";
import { createServer, type ServerResponse } from "node:http";
import { startExecutable } from "../support/executable.ts";
import { until } from "../support/until.ts";

/** A receiver that answers each request when it is told to. */
async function startHeldReceiver() {
  const open: ServerResponse[] = [];
  const server = createServer((request, response) => {
    request.resume().on("end", () => open.push(response));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  return {
    url: `http://127.0.0.1:${port}/`,
    open,
    /** Answers the n-th request, counted from 0. */
    answer: (n: number, status: number) => open[n]?.writeHead(status).end(),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test("an attempt that outlasts the opening of a breaker is not its probe, and opens it no second time", async () => {
  await using receiver = await startHeldReceiver();
  await using server = await startExecutable({
    queue: { driver: "memory", memory: { concurrency: 16 } },
    webhooks: { request_timeout_ms: 120_000, retry: { initial_backoff_ms: 10, max_backoff_ms: 20 } },
    endpoints: {
      slow: {
        url: receiver.url,
        breaker: { failure_share: 0.5, min_attempts: 4, window_ms: 600_000, open_ms: 300 },
      },
    },
  });
  const shown = async (): Promise<{ breaker: string; in_flight: number }> =>
    (await server.api("GET", "/v1/endpoints/-/slow")).body;
  const untilShown = (breaker: string, inFlight: number): Promise<unknown> =>
    until(
      async () => {
        const { breaker: is, in_flight } = await shown();
        return is === breaker && in_flight === inFlight;
      },
      { what: `a breaker that is ${breaker}, with ${inFlight} in flight` },
    );
  const job = { type: "probe.test", endpoint: "slow", data: {} };

  // Eleven attempts are under way; the last four fail.
  await server.enqueue(
    "webhooks",
    Array.from({ length: 11 }, () => job),
  );
  await until(() => receiver.open.length === 11, { what: "eleven requests" });
  for (const n of [7, 8, 9, 10]) receiver.answer(n, 500);
  await until(() => receiver.open.length === 12, { what: "the probe" });
  await untilShown("half_open", 8);

  // Old ones end, well and badly: the probe is still under way, and nothing else starts.
  receiver.answer(0, 200);
  receiver.answer(1, 500);
  await untilShown("half_open", 6);
  expect(receiver.open.length).toBe(12);

  // The probe decides. What is left of the outage fails then, and opens nothing.
  receiver.answer(11, 200);
  await until(() => receiver.open.length === 16, { what: "the four that waited" });
  for (const n of [2, 3, 4, 5, 6]) receiver.answer(n, 500);
  await until(() => receiver.open.length === 21, { what: "the five that failed late" });
  expect(await shown()).toMatchObject({ breaker: "closed" });
  for (let n = 12; n < 21; n += 1) receiver.answer(n, 200);
  await server.untilIdle();
  expect(await server.stats()).toMatchObject({ dead: 0 });
  const opened = server.logs().filter(({ msg }) => msg.includes("breaker opened"));
  expect(opened).toHaveLength(1);
});

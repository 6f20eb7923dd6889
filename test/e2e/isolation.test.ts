import { expect, test } from "bun:test";
import { startExecutable } from "../support/executable.ts";
import { hang, startReceiver } from "../support/receiver.ts";
import { configFor, jobNumberOf, jobsFrom } from "./scenario.ts";

// Bun stops at 256 fetches of a process unless it is started with another limit (runtime.ts).
test("400 hanging deliveries: a healthy endpoint is still served at once", async () => {
  const hanging = await startReceiver({ behaviour: hang("head"), record: false });
  const healthy = await startReceiver();
  try {
    const webhooks = [
      {
        name: "hanging",
        url: hanging.url,
        event_types: ["channel_occupied"],
        filter: { channel_prefix: "room-1" },
      },
      {
        name: "healthy",
        url: healthy.url,
        event_types: ["channel_occupied"],
        filter: { channel_prefix: "room-2" },
      },
    ];
    const queue = {
      driver: "memory",
      memory: { concurrency: 600 },
      reliability: { shutdown_timeout_ms: 200 },
    };
    await using server = await startExecutable(configFor(webhooks, { queue }));
    await server.enqueue("webhooks", jobsFrom(1_000, 400));
    await hanging.waitForCount(400);
    await server.enqueue("webhooks", jobsFrom(2_000, 1));
    await healthy.waitForCount(1);
    expect(healthy.requests.map(jobNumberOf)).toEqual([2_000]);
    expect(hanging.count).toBe(400);
    expect(await server.stop()).toBe(0);
  } finally {
    await hanging.close();
    await healthy.close();
  }
});

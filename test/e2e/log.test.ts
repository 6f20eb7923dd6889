import { expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureExecutable, token } from "../support/executable.ts";
import { startReceiver } from "../support/receiver.ts";
import { until } from "../support/until.ts";
import { configFor, jobsFrom } from "./scenario.ts";

test("a reader of the log that stalls delays no delivery, and loses no line once it reads again", async () => {
  const count = 3_000;
  const directory = mkdtempSync(join(tmpdir(), "hookline-log-"));
  const fifo = join(directory, "stderr");
  const config = join(directory, "config.json");
  // A pipe of ours, so that it is certain that nobody reads ahead of the test.
  execFileSync("mkfifo", [fifo]);
  const pipe = openSync(fifo, "r+");
  // A description of its own: the server's makes the shared one non-blocking.
  const opening = openSync(fifo, "r");
  const receiver = await startReceiver({ record: false });
  writeFileSync(
    config,
    JSON.stringify(
      configFor([{ url: receiver.url }], { server: { port: 0, token }, log: { level: "debug" } }),
    ),
  );
  const child = Bun.spawn([await ensureExecutable(), "serve", "--config", config], {
    env: {},
    stdout: "ignore",
    stderr: pipe,
  });
  let reader: Bun.Subprocess<"ignore", "pipe"> | null = null;
  try {
    const chunk = Buffer.alloc(4_096);
    let head = "";
    while (!head.includes('"url"') || !head.endsWith("\n"))
      head += chunk.toString("utf8", 0, readSync(opening, chunk));
    const url = /"url":"([^"]+)"/.exec(head)![1]!;
    for (let first = 0; first < count; first += 500) {
      const response = await fetch(`${url}/v1/queues/webhooks/jobs`, {
        method: "POST",
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        body: JSON.stringify(jobsFrom(first, 500)),
      });
      expect(response.status).toBe(202);
    }
    // A line per attempt is many times what a pipe holds (64 KiB).
    await receiver.waitForCount(count);

    let log = head;
    reader = Bun.spawn(["cat", fifo], { stdout: "pipe" });
    for await (const text of reader.stdout.pipeThrough(new TextDecoderStream())) {
      log += text;
      if (log.match(/"msg":"attempt"/g)?.length === count) break;
    }
    expect(log.match(/"msg":"attempt"/g)).toHaveLength(count);
    expect(log).not.toContain("dropped");
  } finally {
    for (const process of [child, reader]) {
      process?.kill("SIGKILL");
      await process?.exited;
    }
    closeSync(pipe);
    closeSync(opening);
    await receiver.close();
    rmSync(directory, { recursive: true, force: true });
  }
});

test("a server whose log nobody ever reads serves, and ends at SIGTERM all the same", async () => {
  const directory = mkdtempSync(join(tmpdir(), "hookline-log-"));
  const fifo = join(directory, "stderr");
  execFileSync("mkfifo", [fifo]);
  const pipe = openSync(fifo, "r+");
  // As full as a pipe gets: not a byte more goes in.
  execFileSync("sh", ["-c", 'dd if=/dev/zero of="$1" bs=4096 count=16 2>/dev/null', "fill", fifo]);
  const port = await freePort();
  const child = Bun.spawn([await ensureExecutable(), "serve"], {
    cwd: directory,
    env: { HOOKLINE_PORT: String(port) },
    stdout: "ignore",
    stderr: pipe,
  });
  try {
    const isReady = async (): Promise<boolean> =>
      (await fetch(`http://127.0.0.1:${port}/health/ready`).catch(() => null))?.status === 200;
    await until(isReady, { what: "readiness" });
    child.kill("SIGTERM");
    expect(await child.exited).toBe(0);
  } finally {
    child.kill("SIGKILL");
    await child.exited;
    closeSync(pipe);
    rmSync(directory, { recursive: true, force: true });
  }
});

/** A port that was free a moment ago: this server cannot tell us which one it took. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

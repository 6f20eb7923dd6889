import { expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync, openSync, closeSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readmeBlock } from "../packaging/release-files.ts";
import { ensureExecutable } from "../support/executable.ts";
import { until } from "../support/until.ts";
import { root } from "./pages.ts";

/**
 * Two ports that are free now, and not the same. Below those that a system gives out by itself (from 32768 on Linux): other
 * tests, which run at the same time, take theirs from there.
 */
async function freePorts(): Promise<[number, number]> {
  const ports: number[] = [];
  while (ports.length < 2) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once("error", () => resolve(false)).listen(port, "127.0.0.1", () => resolve(true));
    });
    if (!isFree) continue;
    await new Promise((resolve) => server.close(resolve));
    if (!ports.includes(port)) ports.push(port);
  }
  return ports as [number, number];
}

test("README's one minute, as it stands there but for the ports, ends verified", async () => {
  const readme = readFileSync(join(root, "README.md"), "utf8");
  const folder = mkdtempSync(join(tmpdir(), "hookline-minute-"));
  const [receiverPort, port] = await freePorts();
  const block = (language: string, index: number): string =>
    readmeBlock(readme, "One minute", language, index)
      .replaceAll("8080", String(receiverPort))
      .replaceAll("9640", String(port));
  writeFileSync(join(folder, "receiver.mjs"), block("js", 0));
  writeFileSync(join(folder, "hookline.json"), block("json", 0));
  symlinkSync(await ensureExecutable(), join(folder, "hookline"));
  const output = join(folder, "output");
  const file = openSync(output, "w");
  const shell = Bun.spawn(["bash", "-c", `${block("sh", 1)}\nwait`], {
    cwd: folder,
    // Only these: variables of the test run that begin with HOOKLINE_ are no settings.
    env: {
      HOME: folder,
      PATH: `${folder}:${process.env["PATH"]}`,
      HOOKLINE_PORT: String(port),
    },
    stdout: file,
    stderr: file,
    // A group of its own, which ends with all that the shell has started.
    detached: true,
  });
  try {
    const text = (): string => readFileSync(output, "utf8");
    await until(() => /verified /.test(text()), { what: "the receiver to verify" }).catch((error: Error) => {
      throw new Error(`${error.message}; the shell said:\n${text()}`);
    });
    expect(readFileSync(output, "utf8")).toContain('"status":"enqueued"');
  } finally {
    process.kill(-shell.pid, "SIGKILL");
    await shell.exited;
    closeSync(file);
    rmSync(folder, { recursive: true, force: true });
  }
}, 120_000);

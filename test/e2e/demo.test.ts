import { expect, test } from "bun:test";
import { join } from "node:path";
import { ensureExecutable, runExecutable } from "../support/executable.ts";
import { until } from "../support/until.ts";

const root = join(import.meta.dir, "..", "..");

/** Deliveries that the demo's receiver verified. */
function countVerified(stdout: string): number {
  return stdout.match(/^.*\bverified\b.*attempt \d/gm)?.length ?? 0;
}

test("the demo shows at least five verified deliveries, one of them retried, and ends by itself", async () => {
  const { code, stdout, stderr } = await runExecutable(["demo"]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(countVerified(stdout)).toBeGreaterThanOrEqual(5);
  expect(stdout).toMatch(/verified.*attempt 2/);
});

test("the demo runs under Deno from source as well", async () => {
  const command = [join(root, "node_modules", ".bin", "deno"), "run", "-A", join(root, "src", "main.ts")];
  const { code, stdout, stderr } = await runExecutable(["demo"], { command, cwd: root, timeoutMs: 60_000 });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(countVerified(stdout)).toBeGreaterThanOrEqual(5);
}, 240_000);

test("the demo stays up with --keep, until Ctrl-C", async () => {
  const child = Bun.spawn([await ensureExecutable(), "demo", "--keep"], { stdout: "pipe", stderr: "pipe" });
  try {
    let stdout = "";
    const reading = (async () => {
      for await (const chunk of child.stdout) stdout += new TextDecoder().decode(chunk);
    })();
    await until(() => stdout.includes("Ctrl-C"), { what: "the invitation to stop it" });
    expect(child.exitCode).toBeNull();
    child.kill("SIGINT");
    expect(await child.exited).toBe(0);
    await reading;
  } finally {
    child.kill("SIGKILL");
  }
});

test("the durable demo is killed before the reader's eyes, and delivers all 20 events afterwards", async () => {
  const { code, stdout, stderr } = await runExecutable(["demo", "--durable"], { timeoutMs: 90_000 });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(countVerified(stdout)).toBeGreaterThanOrEqual(20);
  expect(stdout).toMatch(/20 accepted.*\n\nkill -9 \d+/);
  expect(stdout).toContain("20 of 20 delivered and verified");
}, 240_000);

test("the durable demo runs under Deno from source as well", async () => {
  const command = [join(root, "node_modules", ".bin", "deno"), "run", "-A", join(root, "src", "main.ts")];
  const run = { command, cwd: root, timeoutMs: 60_000 };
  const { code, stdout, stderr } = await runExecutable(["demo", "--durable"], run);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toContain("20 of 20 delivered and verified");
}, 240_000);

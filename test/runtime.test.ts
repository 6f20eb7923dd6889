import { afterAll, beforeAll, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { hang, type Receiver, startReceiver } from "./support/receiver.ts";

const program = resolve(import.meta.dir, "support/many-hanging.ts");
let folder = "";
let hanging: Receiver;
let healthy: Receiver;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "hookline-runtime-"));
  hanging = await startReceiver({ behaviour: hang("head"), record: false });
  healthy = await startReceiver({ record: false });
});
afterAll(async () => {
  await hanging.close();
  await healthy.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs a program to its end without the variable that it is to set for itself. */
async function run(
  command: string,
  args: string[],
  env: Record<string, string> = {},
): Promise<{ pid: number | undefined; code: number | null; stdout: string }> {
  const { BUN_CONFIG_MAX_HTTP_REQUESTS: _, ...inherited } = process.env;
  const child = spawn(command, args, { env: { ...inherited, ...env }, stdio: ["ignore", "pipe", "inherit"] });
  let stdout = "";
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  const code = await new Promise<number | null>((done) => child.on("close", done));
  return { pid: child.pid, code, stdout };
}

const lastArgument = "an argument with spaces, $and 'quotes'";

test("from source, 400 hanging requests leave a healthy one served, in the same process", async () => {
  const args = [program, hanging.url, healthy.url, lastArgument];
  const { pid, code, stdout } = await run(process.execPath, args);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toEqual({
    pid,
    isCompiled: false,
    limit: 1024,
    answered: 200,
    last: lastArgument,
  });
});

test("compiled, 400 hanging requests leave a healthy one served, in the same process", async () => {
  const executable = join(folder, "many-hanging");
  const built = await run(process.execPath, ["build", program, "--compile", `--outfile=${executable}`]);
  expect(built.code).toBe(0);
  const { pid, code, stdout } = await run(executable, [hanging.url, healthy.url, lastArgument]);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toEqual({
    pid,
    isCompiled: true,
    limit: 1024,
    answered: 200,
    last: lastArgument,
  });
});

test("a limit that the environment sets high enough is left alone", async () => {
  const args = [program, hanging.url, healthy.url, lastArgument];
  const { stdout } = await run(process.execPath, args, { BUN_CONFIG_MAX_HTTP_REQUESTS: "5000" });
  expect(JSON.parse(stdout)).toMatchObject({ limit: 5000, answered: 200 });
});

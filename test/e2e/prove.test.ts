import { expect, test } from "bun:test";
import { join } from "node:path";
import { ensureExecutable } from "../support/executable.ts";

const main = join(import.meta.dir, "../../scripts/proof/main.ts");
/** The offsets of the faults are fixed by it; what they meet is not, for processes run as fast as they can. */
const seed = process.env["PROOF_SEED"] ?? "16";

test("200 faults against every driver: nothing is lost, every double is explained, no limit is broken (scripts/prove)", async () => {
  await ensureExecutable();
  const child = Bun.spawn([process.execPath, main, "--faults", "200", "--every-ms", "300", "--seed", seed], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [code, report, errors] = await Promise.all([
    child.exited,
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  if (code !== 0) throw new Error(`scripts/prove ended with ${code}:\n${report}\n${errors}`);
  expect(report).toContain("**everything held** over 200 faults");
}, 600_000);

import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { certificates } from "../../support/certificates.ts";
import { startProxy } from "../../support/proxy.ts";
import { answer, startReceiver } from "../../support/receiver.ts";
import { until } from "../../support/until.ts";

const root = resolve(import.meta.dir, "../../..");
const program = join(root, "test/support/http1-attempts.ts");

test.each([
  ["Bun", [process.execPath, program]],
  ["Deno", [join(root, "node_modules/.bin/deno"), "run", "-A", program]],
])(
  "on %s a program ends by itself once its transport is closed, whatever was idle in it",
  async (_runtime, command) => {
    const { ca, server } = certificates();
    // As long as they like: what ends the program is its own closing, not theirs.
    const behaviour = answer(200, { headers: { "keep-alive": "timeout=300" } });
    await using plain = await startReceiver({ behaviour });
    await using secure = await startReceiver({ behaviour, tls: server });
    const proxy = await startProxy();
    const folder = mkdtempSync(join(tmpdir(), "hookline-end-"));
    const caFile = join(folder, "ca.pem");
    writeFileSync(caFile, ca);
    try {
      for (const via of ["", `http://127.0.0.1:${proxy.port}`]) {
        const urls = [`http://a.test:${plain.port}/`, `https://a.test:${secure.port}/`];
        const child = Bun.spawn([...command, caFile, via, ...urls], { cwd: root, stdout: "pipe" });
        const timer = setTimeout(() => child.kill("SIGKILL"), 20_000);
        const outcomes: unknown = JSON.parse(await new Response(child.stdout).text());
        expect(outcomes).toMatchObject([{ kind: "delivered" }, { kind: "delivered" }]);
        expect([await child.exited, child.signalCode]).toEqual([0, null]);
        clearTimeout(timer);
      }
      await until(() => plain.openConnections + secure.openConnections === 0, { what: "all to be closed" });
    } finally {
      rmSync(folder, { recursive: true });
      await proxy.close();
    }
  },
);

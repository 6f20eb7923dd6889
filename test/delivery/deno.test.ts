import { expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { resolve } from "node:path";

const root = resolve(import.meta.dir, "../..");

test("under Deno every receiver leads to the outcome it leads to on Bun", () => {
  const deno = resolve(root, "node_modules/.bin/deno");
  const program = resolve(root, "test/support/deno-attempts.ts");
  const result = spawnSync(deno, ["run", "-A", program], { cwd: root, encoding: "utf8", timeout: 25_000 });
  expect(result.stderr).not.toContain("error");
  const delivered = { kind: "delivered", status: 200 };
  expect(JSON.parse(result.stdout)).toMatchObject({
    isBun: false,
    delivered,
    status: { kind: "http_status", status: 429, retryAfterMs: 2000 },
    redirect: { kind: "redirect", status: 302, location: "https://x.test" },
    bodyAfter204: { kind: "delivered", status: 204 },
    reset: { kind: "reset", code: "ECONNRESET" },
    protocol: { kind: "protocol" },
    halfBody: { kind: "reset" },
    endless: delivered,
    hangHead: { kind: "timeout" },
    hangBody: { kind: "timeout" },
    connectionsOfTen: 1,
    tls: delivered,
    wrongName: { kind: "tls", code: "ERR_TLS_CERT_ALTNAME_INVALID" },
    untrusted: { kind: "tls" },
    noName: { kind: "dns", code: "ENOTFOUND" },
    linkLocal: { kind: "blocked" },
    hostHeader: true,
    proxyPlain: delivered,
    proxyTls: delivered,
    lambda: { kind: "delivered", status: 202 },
  });
}, 120_000);

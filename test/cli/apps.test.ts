import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startAdmin, token, type Admin } from "../admin/start-admin.ts";
import { runCommand } from "./command-io.ts";

let admin: Admin;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "hookline-apps-"));
  admin = await startAdmin({ config: { server: { token } } });
});
afterAll(async () => {
  await admin.stop();
  rmSync(folder, { recursive: true });
});

const run = (...args: string[]) => runCommand("apps", [...args, "--url", admin.url, "--token", token]);

test("an app is put from a file, listed, shown and removed", async () => {
  const file = join(folder, "shop.json");
  writeFileSync(file, JSON.stringify({ key: "k-shop", secret: "s-shop" }));
  expect(await run("put", "shop", file, "--dry-run")).toMatchObject({ code: 0, stdout: "ok\n" });
  expect(await run("put", "shop", file)).toMatchObject({ code: 0, stdout: "stored\n" });
  expect(await run("put", "shop", file)).toMatchObject({ code: 0, stdout: "replaced\n" });
  const { stdout } = await run("ls");
  expect(stdout.split("\n").map((line) => line.split(/ +/))).toEqual([
    ["ID", "SOURCE", "WEBHOOKS"],
    ["app-1", "configuration", "1"],
    ["shop", "api", "0"],
    [""],
  ]);
  expect(JSON.parse((await run("ls", "--json")).stdout)).toMatchObject({ apps: [{}, {}], complete: true });
  expect(JSON.parse((await run("get", "shop")).stdout)).toMatchObject({ id: "shop", secret: "***" });
  expect(await run("reencrypt")).toMatchObject({ code: 0, stdout: "0 encrypted anew\n" });
  expect(await run("rm", "shop", "none")).toMatchObject({ code: 1, stdout: "1 removed\n" });
});

test("what is refused is said, with everything that is wrong", async () => {
  const file = join(folder, "bad.json");
  writeFileSync(file, JSON.stringify({ key: 5 }));
  const { code, stderr } = await run("put", "shop", file);
  expect(code).toBe(1);
  expect(stderr).toContain("; secret: is missing");
  expect(stderr).toContain("invalid_settings");
});

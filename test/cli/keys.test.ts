import { expect, test } from "bun:test";
import { Webhook } from "standardwebhooks";
import { parseSigningKey } from "../../src/delivery/signing-keys.ts";
import { UsageError } from "../../src/errors.ts";
import { createWorkspace, runCommand } from "./command-io.ts";

const whsk = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";
const whpk = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=";

test("generate makes a new whsec_ key that npm's standardwebhooks takes", async () => {
  const made = await Promise.all([[], ["--hmac"]].map((args) => runCommand("keys", ["generate", ...args])));
  for (const { code, stdout, stderr } of made) {
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^whsec_[A-Za-z0-9+/]{43}=\n$/);
    expect(() => new Webhook(stdout.trim())).not.toThrow();
  }
  expect(made[0]!.stdout).not.toBe(made[1]!.stdout);
});

test("generate --ed25519 makes a pair whose halves belong together", async () => {
  const { code, stdout } = await runCommand("keys", ["generate", "--ed25519"]);
  expect(code).toBe(0);
  const [secret = "", half = "", rest] = stdout.split("\n");
  expect(rest).toBe("");
  expect(typeof parseSigningKey(secret)).toBe("object");
  expect((await runCommand("keys", ["public", secret])).stdout).toBe(`${half}\n`);
});

test("public shows the other half of a key from argument, standard input, file or environment", async () => {
  using files = createWorkspace();
  const file = files.write("keys", `${whsk}\n${whpk}\n`);
  for (const result of [
    await runCommand("keys", ["public", whsk]),
    await runCommand("keys", ["public", "-"], { stdin: `${whsk}\n` }),
    await runCommand("keys", ["public", "--key-file", file], { cwd: files.cwd }),
    await runCommand("keys", ["public", "--key-env", "WEBHOOK_KEY"], { env: { WEBHOOK_KEY: whsk } }),
  ]) {
    expect(result).toEqual({ code: 0, stdout: `${whpk}\n`, stderr: "" });
  }
});

test("what cannot be done is a usage error that quotes no key", async () => {
  const symmetric = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
  const rows: [string[], string][] = [
    [[], "a subcommand is missing, one of generate, public"],
    [["genrate"], 'no subcommand "genrate" (did you mean "generate"?)'],
    [["generate", "--hmac", "--ed25519"], "not both"],
    [["public"], "KEY is missing"],
    [["public", symmetric], "symmetric"],
    [["public", whsk.replace("whsk_6", "whsk_7")], "does not belong to its seed"],
    [["public", "--key-env", "NOT_SET"], "NOT_SET is empty"],
    [["public", whsk, "--key-env", "NOT_SET"], "give one of them"],
  ];
  for (const [args, expected] of rows) {
    const error: unknown = await runCommand("keys", args).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(UsageError);
    expect((error as Error).message).toContain(expected);
    expect((error as Error).message).not.toMatch(/wh(sec|sk)_\w/);
  }
});

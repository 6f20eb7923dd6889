import { describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import Pusher from "pusher";
import { Webhook } from "standardwebhooks";
import { UsageError } from "../../src/errors.ts";
import { createWorkspace, runCommand, type CommandResult } from "./command-io.ts";

// Known answers: the reference libraries' tests (v1), Svix's worker and the specification's own example (v1a).
const id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const timestamp = "1614265330";
const body = '{"test": 2432232314}';
const whsec = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const whsk = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";
const whpk = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=";
const v1 = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
const v1a = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==";
const secret = "the-secret-of-an-app";

const headersWith = (signature: string): string =>
  `webhook-id: ${id}\nwebhook-timestamp: ${timestamp}\nwebhook-signature: ${signature}\n`;
const known = headersWith(v1);

describe("sign", () => {
  const signed = (args: string[], stdin: string | Uint8Array = body): Promise<CommandResult> =>
    runCommand("sign", args, { stdin });

  test("prints the known answers, of one key or several, newest as given", async () => {
    const at = ["--id", id, "--timestamp", timestamp];
    expect((await signed(["--key", whsec, ...at])).stdout).toBe(headersWith(v1));
    expect((await signed(["--key", whsk, ...at])).stdout).toBe(headersWith(v1a));
    expect((await signed(["--key", `${whsk}\n${whpk}\n${whsec}`, ...at])).stdout).toBe(
      headersWith(`${v1a} ${v1}`),
    );
  });

  test("signs a file's bytes as they are, with the time and an id of its own", async () => {
    using files = createWorkspace();
    const bytes = Uint8Array.of(0xff, 0x00, 0x0a);
    files.write("body", bytes);
    files.write("key", `${whsec}\n`);
    const { code, stdout } = await runCommand("sign", ["--key-file", "key", "body"], { cwd: files.cwd });
    expect(code).toBe(0);
    const [, ownId, time, signature] =
      /^webhook-id: ([\w-]+)\nwebhook-timestamp: (\d+)\nwebhook-signature: v1,(\S+)\n$/.exec(stdout)!;
    expect(Math.abs(Date.now() / 1000 - Number(time))).toBeLessThan(60);
    const key = Buffer.from(whsec.slice(6), "base64");
    const expected = createHmac("sha256", key).update(`${ownId}.${time}.`).update(bytes).digest("base64");
    expect(signature).toBe(expected);
  });

  test("npm's pusher and standardwebhooks accept what it prints", async () => {
    const text = '{"time_ms":1,"events":[{"name":"channel_occupied","channel":"room"}]}';
    const args = ["--key-env", "KEY", "--pusher-key", "app-key", "--pusher-secret-env", "SECRET"];
    const { stdout } = await runCommand("sign", args, { env: { KEY: whsec, SECRET: secret }, stdin: text });
    const headers = Object.fromEntries(
      stdout
        .trim()
        .split("\n")
        .map((line) => line.split(": ") as [string, string]),
    );
    expect(new Webhook(whsec).verify(text, headers)).toEqual(JSON.parse(text));
    const pusher = new Pusher({ appId: "app", key: "app-key", secret, cluster: "eu" });
    expect(
      pusher
        .webhook({ headers: { ...headers, "content-type": "application/json" }, rawBody: text })
        .isValid(),
    ).toBe(true);
  });

  test("refuses what would not be a delivery", async () => {
    const rows: [string[], string][] = [
      [[], "give a key"],
      [["--key", whsec, "--id", "a.b"], "without a dot"],
      [["--key", whsec, "--id", "a\nb"], "visible ASCII"],
      [["--key", whsec, "--timestamp", "now"], 'expected an integer of at least 0, got "now"'],
      [["--key", "whsec_c2hvcnQ="], "expected 24 to 64 bytes after whsec_, got 5"],
      [["--key", whpk], "expected a secret key (whsk_), got a public one"],
      [["--pusher-key", "a", "--key", whsec], "belong together"],
      [["--pusher-secret", "a"], "belong together"],
      [["--pusher-key", "a", "--pusher-secret", "b", "--id", "x"], "give a key"],
      [["--key-file", "-"], "standard input can be read for one thing only"],
      [["--key", whsec, "--key-file", "key"], "--key and --key-file: give one of them"],
    ];
    for (const [args, expected] of rows) {
      const error: unknown = await signed(args, whsec).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(UsageError);
      expect((error as Error).message).toContain(expected);
    }
  });
});

describe("verify", () => {
  /** Verifies a body against saved headers, as of their own time. */
  async function verified(
    headers: string,
    text: string = body,
    args: readonly string[] = ["--key", whsec, "--at", timestamp],
  ): Promise<CommandResult> {
    using files = createWorkspace();
    files.write("headers", headers);
    return await runCommand("verify", ["--headers", "headers", ...args], { cwd: files.cwd, stdin: text });
  }

  test("says ok to the known answers, whatever form the headers were saved in", async () => {
    const object = { "Webhook-Id": id, "webhook-timestamp": Number(timestamp), "webhook-signature": [v1] };
    const raw = `POST /hook HTTP/1.1\r\nHost: a\r\n${known.replaceAll("\n", "\r\n")}`;
    const curl = `> POST /hook HTTP/1.1\n${known.trim().replaceAll(/^/gm, "> ")}\n`;
    for (const headers of [known, JSON.stringify(object), raw, curl]) {
      expect(await verified(headers)).toEqual({ code: 0, stdout: "ok: webhook-signature\n", stderr: "" });
    }
    for (const key of [whpk, whsk]) {
      const result = await verified(headersWith(`v2,x ${v1} ${v1a}`), body, [
        "--key",
        key,
        "--at",
        timestamp,
      ]);
      expect(result).toMatchObject({ code: 0 });
    }
  });

  test("takes a whole request in one file, its body byte for byte", async () => {
    using files = createWorkspace();
    files.write("key", whsec);
    files.write("saved.txt", `POST /hook HTTP/1.1\r\n${known.replaceAll("\n", "\r\n")}\r\n${body}`);
    const args = ["--key-file", "key", "--at", "2021-02-25T15:02:10Z", "saved.txt"];
    expect(await runCommand("verify", args, { cwd: files.cwd })).toMatchObject({ code: 0 });
  });

  test("verifies what sign printed just now", async () => {
    const { stdout } = await runCommand("sign", ["--key", whsk], { stdin: body });
    expect(await verified(stdout, body, ["--key", whpk])).toMatchObject({ code: 0 });
  });

  const madeWith = (key: string | Buffer, text = body): string =>
    `v1,${createHmac("sha256", key).update(`${id}.${timestamp}.${text}`).digest("base64")}`;
  const decoded = Buffer.from(whsec.slice(6), "base64");

  test.each<[what: string, headers: string, text: string, expected: string]>([
    ["a missing header", known.replace(/webhook-id.*\n/, ""), body, "webhook-id is missing from the headers"],
    ["a header that is there twice", `${known}webhook-id: x\n`, body, "webhook-id is there 2 times"],
    ["a timestamp in words", known.replace(timestamp, "today"), body, 'webhook-timestamp is "today"'],
    ["a signature without version", headersWith(v1.slice(3)), body, "nothing of the form v1,BASE64"],
    ["another version only", headersWith(v1a), body, "has v1a only, and the key given is for v1 (whsec_)"],
    ["a signature cut off", headersWith(v1.slice(0, 20)), body, "bytes instead of 32: it was cut off"],
    ["a newline added", known, `${body}\n`, "without the newline at the body's end"],
    ["a newline lost", headersWith(madeWith(decoded, `${body}\n`)), body, "with a newline at the body's end"],
    ["CRLF for LF", headersWith(madeWith(decoded, "a\nb")), "a\r\nb", "LF line ends"],
    ["LF for CRLF", headersWith(madeWith(decoded, "a\r\nb")), "a\nb", "CRLF line ends"],
    [
      "JSON written again",
      headersWith(madeWith(decoded, '{"test":1}')),
      '{\n  "test": 1\n}',
      "written compactly",
    ],
    ["an undecoded key", headersWith(madeWith(whsec)), body, "must be decoded first"],
    ["an undecoded key, prefix cut", headersWith(madeWith(whsec.slice(6))), body, "must be decoded first"],
    ["another key", headersWith(madeWith("another")), body, "no signature fits"],
    ["another body", known, '{"test": 1}', "no signature fits"],
    ["another id", known.replace(id, "msg_other"), body, "no signature fits"],
  ])("names %s", async (_, headers, text, expected) => {
    const { code, stdout, stderr } = await verified(headers, text);
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toStartWith("hookline: ");
    expect(stderr).toContain(expected);
  });

  test("holds the timestamp against now, or the time and tolerance given", async () => {
    const key = ["--key", whsec];
    const old = await verified(known, body, key);
    expect(old.code).toBe(1);
    expect(old.stderr).toMatch(/is \d+ s old, more than 300 s are not taken; the signature itself fits/);
    const wrong = await verified(known, "other", key);
    expect(wrong.stderr).toContain("the signature does not fit either");
    const at = (seconds: number): string[] => [...key, "--at", String(Number(timestamp) + seconds)];
    expect((await verified(known, body, at(300))).code).toBe(0);
    expect((await verified(known, body, at(301))).stderr).toContain("is 301 s old");
    expect((await verified(known, body, at(-300))).code).toBe(0);
    expect((await verified(known, body, at(-301))).stderr).toContain("is 301 s ahead");
    expect((await verified(known, body, [...at(301), "--tolerance", "400"])).code).toBe(0);
  });

  describe("with an app's secret", () => {
    const made = (text: string): string => createHmac("sha256", secret).update(text).digest("hex");
    const headersOf = (signature: string): string =>
      `x-pusher-key: app-key\nx-pusher-signature: ${signature}\n`;
    const check = (headers: string, text = body, args: string[] = []): Promise<CommandResult> =>
      verified(headers, text, ["--pusher-secret", secret, ...args]);

    test("says ok, and looks at the key where one is given", async () => {
      const headers = headersOf(made(body));
      expect(await check(headers)).toEqual({ code: 0, stdout: "ok: x-pusher-signature\n", stderr: "" });
      expect((await check(headers, body, ["--pusher-key", "app-key"])).code).toBe(0);
      const other = await check(headers, body, ["--pusher-key", "other"]);
      expect([other.code, other.stderr]).toEqual([
        1,
        'hookline: x-pusher-key is "app-key", not the key given\n',
      ]);
    });

    test.each<[headers: string, text: string, expected: string]>([
      ["a: b", body, "x-pusher-signature is missing"],
      [headersOf(made(body).toUpperCase()), body, "not 64 lower-case hex digits"],
      [headersOf(made(body)), `${body}\n`, "without the newline at the body's end"],
      [headersOf(made(body)), "other", "another secret, or the body is not the one signed"],
    ])("%j names the reason", async (headers, text, expected) => {
      const { code, stderr } = await check(headers, text);
      expect(code).toBe(1);
      expect(stderr).toContain(expected);
    });

    test("beside a key both must fit", async () => {
      const both = known + headersOf(made("other"));
      const { code, stdout, stderr } = await check(both, body, ["--key", whsec, "--at", timestamp]);
      expect([code, stdout]).toEqual([1, "ok: webhook-signature\n"]);
      expect(stderr).toContain("x-pusher-signature does not fit");
    });
  });

  test("what cannot be checked at all is a usage error", async () => {
    const rows: [args: string[], headers: string, expected: string][] = [
      [[], known, "give a key"],
      [["--key", "whsec_"], known, "got 0"],
      [["--key", whsec, "--at", "noon"], known, "--at: expected seconds since 1970"],
      [["--key", whsec], "nothing here", "expected lines `name: value`"],
      [["--key", whsec], "{", "begins like JSON and is not"],
    ];
    for (const [args, headers, expected] of rows) {
      const error: unknown = await verified(headers, body, args).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(UsageError);
      expect((error as Error).message).toContain(expected);
    }
    const error: unknown = await runCommand("verify", ["--key", whsec], { stdin: body }).catch(
      (e: unknown) => e,
    );
    expect((error as Error).message).toContain("give the headers with --headers FILE");
  });
});

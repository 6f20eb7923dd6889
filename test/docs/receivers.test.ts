import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { signPusher } from "../../src/delivery/sign.ts";
import { parseSigningKey, type SigningKey } from "../../src/delivery/signing-keys.ts";
import { signStandard } from "../../src/delivery/standard-webhooks.ts";
import { until } from "../support/until.ts";
import { blocksOf, readPages, root } from "./pages.ts";

const isLong = process.env["HOOKLINE_LONG"] === "1";
const page = readPages().find(({ name }) => name === "receivers");
const readme = readPages().find(({ name }) => name === "");
if (page === undefined || readme === undefined)
  throw new Error("docs/receivers.md or README.md is not there");

/** The first program of a language on a page. */
function programIn(text: typeof page, language: string): string {
  const code = text === undefined ? undefined : blocksOf(text).find((one) => one.language === language)?.code;
  if (code === undefined) throw new Error(`${text?.path}: there is no program in ${language}`);
  return code;
}

const deno = join(root, "node_modules/.bin/deno");
/** Each receiver: its file, the command that runs it, and its program. */
const receivers = [
  { what: "README's in Node", file: "receiver.mjs", command: ["node"], code: programIn(readme, "js") },
  { what: "Node", file: "receiver.mjs", command: ["node"], code: programIn(page, "js") },
  { what: "Deno", file: "receiver.mjs", command: [deno, "run", "--allow-net"], code: programIn(page, "js") },
  { what: "Bun", file: "receiver.ts", command: [process.execPath], code: programIn(page, "ts") },
];
/** Those whose languages Debian has: php-cli, python3, ruby with ruby-webrick, golang-go. */
const debianReceivers = [
  {
    what: "PHP",
    file: "receiver.php",
    command: ["php", "-S", "127.0.0.1:8080"],
    code: programIn(page, "php"),
  },
  { what: "Python", file: "receiver.py", command: ["python3"], code: programIn(page, "python") },
  { what: "Ruby", file: "receiver.rb", command: ["ruby"], code: programIn(page, "ruby") },
  { what: "Go", file: "receiver.go", command: ["go", "run"], code: programIn(page, "go") },
];

const body =
  '{"time_ms":1.0,"events":[{"name":"order_paid","channel":"é","data":{"id":12345678901234567890}}]}';

/** A port that is free now; the program that gets it binds it at once. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Runs a receiver of a page on a port of its own, and posts what hookline would post, and what it would not. */
async function tryReceiver({ file, command, code }: (typeof receivers)[number]): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "hookline-receiver-"));
  const port = await freePort();
  const moved = (text: string): string => text.replaceAll("8080", String(port));
  expect(code.includes("8080") || command.some((word) => word.includes("8080"))).toBe(true);
  writeFileSync(join(folder, file), moved(code));
  const program = Bun.spawn([...command.map(moved), file], {
    cwd: folder,
    env: { ...process.env, GOCACHE: join(tmpdir(), "hookline-go-cache"), GOFLAGS: "-mod=mod" },
    stdout: "pipe",
    stderr: "pipe",
    // `go run` starts a child of its own.
    detached: true,
  });
  const post = (headers: Record<string, string>, sent = body): Promise<Response> =>
    fetch(`http://127.0.0.1:${port}/hook`, { method: "POST", body: sent, headers });
  const signature = signPusher("change-me", body);
  try {
    await until(
      async () => {
        if (program.exitCode !== null) throw new Error(await new Response(program.stderr).text());
        return post({}).then(
          ({ status }) => status === 401,
          () => false,
        );
      },
      { what: `${file} to answer`, timeoutMs: 120_000 },
    );
    const good = { "x-pusher-key": "shop-key", "x-pusher-signature": signature, "webhook-id": "id-1" };
    expect((await post(good)).status).toBe(204);
    expect((await post(good, body.replace("1.0", "1"))).status).toBe(401);
    expect((await post({ ...good, "x-pusher-signature": signPusher("other", body) })).status).toBe(401);
  } finally {
    process.kill(-program.pid, "SIGKILL");
    await program.exited;
    rmSync(folder, { recursive: true, force: true });
  }
}

test.each(receivers)("the receiver on the page verifies: $what", tryReceiver, 150_000);

describe.skipIf(!isLong)("with languages from Debian (--long)", () => {
  test.each(debianReceivers)("the receiver on the page verifies: $what", tryReceiver, 150_000);
});

test("the snippets for the libraries of Pusher and Standard Webhooks verify", async () => {
  const codes = blocksOf(page).map(({ code }) => code);
  const folder = mkdtempSync(join(tmpdir(), "hookline-receiver-"));
  try {
    symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
    const load = async (
      part: string,
    ): Promise<Record<string, (headers: object, body: string) => unknown>> => {
      writeFileSync(join(folder, `${part}.mjs`), codes.find((code) => code.includes(`from "${part}"`)) ?? "");
      return import(join(folder, `${part}.mjs`));
    };
    const { isGenuine } = await load("pusher");
    const headers = {
      "content-type": "application/json",
      "x-pusher-key": "shop-key",
      "x-pusher-signature": signPusher("change-me", body),
    };
    expect(isGenuine?.(headers, body)).toBe(true);
    expect(isGenuine?.(headers, body.replace("1.0", "1"))).toBe(false);

    const { readEvents } = await load("standardwebhooks");
    const secret = /whsec_[\w+/=]+/.exec(codes.join("\n"))?.[0] ?? "";
    const now = Date.now();
    const dated = {
      id: "id-1",
      timestampSeconds: Math.floor(now / 1000),
      body: Buffer.from(body),
      keys: [{ key: signingKey(secret), notAfter: null }],
      nowMs: now,
    };
    const signed = {
      "webhook-id": "id-1",
      "webhook-timestamp": String(dated.timestampSeconds),
      "webhook-signature": signStandard(dated) ?? "",
    };
    expect(readEvents?.(signed, body)).toMatchObject({ events: [{ name: "order_paid" }] });
    expect(() => readEvents?.(signed, body.replace("1.0", "1"))).toThrow();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

function signingKey(text: string): SigningKey {
  const key = parseSigningKey(text);
  if (typeof key === "string") throw new Error(key);
  return key;
}

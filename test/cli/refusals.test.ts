import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createServer, type AddressInfo, type Server } from "node:net";
import { answer, startReceiver, type Receiver } from "../support/receiver.ts";
import { createWorkspace, runCommand } from "./command-io.ts";

/** What a person sees when a command cannot do its work: never a library's or the system's own words. */

let other: Receiver;
beforeAll(
  async () => void (other = await startReceiver({ behaviour: answer(200, { body: "<html>hello" }) })),
);
afterAll(() => other.close());

const said = (name: string, args: string[], stdin = ""): Promise<string> =>
  runCommand(name, args, { stdin }).then(
    ({ stderr }) => stderr,
    (error: Error) => error.message,
  );

describe("a server that is none of ours", () => {
  // Finding: `null is not an object (evaluating 'u.items')`, and an enqueue that ended with 0.
  test.each([
    ["health", []],
    ["enqueue", ["webhooks"]],
    ["dead", ["ls", "webhooks"]],
    ["dead", ["redrive", "webhooks", "a"]],
    ["dead", ["redrive", "webhooks", "--all"]],
  ])("%s %j says so", async (name, args) => {
    expect(await said(name, [...args, "--url", other.url])).toBe(
      `${other.url} answered 200 with something else than hookline does: another program listens there`,
    );
  });

  test("and refuses is told from a refusal of hookline's", async () => {
    other.behave(answer(404, { body: "<html>" }));
    expect(await said("dead", ["ls", "webhooks", "--url", other.url])).toBe(
      "hookline: 404 the server refused, in words that are not hookline's\n",
    );
    other.behave(answer(200, { body: "<html>hello" }));
  });
});

describe("a server that does not answer", () => {
  const listen = async (onConnection: Parameters<typeof createServer>[1]): Promise<Server> => {
    const server = createServer({}, onConnection);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return server;
  };
  const portOf = (server: Server): number => (server.address() as AddressInfo).port;

  // Finding: "Unable to connect. Is the computer able to access the url?"
  test("because nothing listens", async () => {
    const server = await listen(undefined);
    const port = portOf(server);
    await new Promise((resolve) => server.close(resolve));
    const url = `http://127.0.0.1:${port}`;
    expect(await said("health", ["--url", url])).toBe(`${url} cannot be asked: nothing listens there`);
  });

  test("because its name is nobody's", async () => {
    const url = "http://nowhere.invalid";
    expect(await said("health", ["--url", url])).toBe(`${url} cannot be asked: its name cannot be resolved`);
  });

  test("because it does not speak HTTP, or hangs up", async () => {
    const noHttp = await listen((socket) => {
      // Only once it was asked: to hang up on a request that is still under way resets the connection.
      socket.on("error", () => undefined).once("data", () => socket.end("SSH-2.0-OpenSSH_9.9\r\n"));
    });
    const rude = await listen((socket) => void socket.resetAndDestroy());
    try {
      expect(await said("health", ["--url", `http://127.0.0.1:${portOf(noHttp)}`])).toEndWith(
        "cannot be asked: what answers there does not speak HTTP",
      );
      expect(await said("health", ["--url", `http://127.0.0.1:${portOf(rude)}`])).toEndWith(
        "cannot be asked: it cut the connection before it had answered",
      );
      expect(await said("health", ["--url", `https://127.0.0.1:${portOf(noHttp)}`])).toEndWith(
        "cannot be asked: TLS cannot be agreed on with what answers there",
      );
    } finally {
      for (const server of [noHttp, rude]) server.close();
    }
  });
});

describe("a file that cannot be read", () => {
  // Finding: "ENOENT: no such file or directory, open 'nofile'".
  test.each([
    ["enqueue", ["webhooks", "nofile", "--url", "http://127.0.0.1:9"]],
    ["sign", ["nofile", "--key-env", "KEY"]],
    ["verify", ["--key-file", "nofile"]],
  ])("%s %j names it", async (name, args) => {
    using workspace = createWorkspace();
    const run = runCommand(name, args, {
      cwd: workspace.cwd,
      env: { KEY: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" },
    });
    await expect(run).rejects.toThrow(/^nofile cannot be read: no such file$/);
  });

  test("a directory is none", async () => {
    const run = runCommand("enqueue", ["webhooks", ".", "--url", "http://127.0.0.1:9"]);
    await expect(run).rejects.toThrow(/^\. cannot be read: it is a directory$/);
  });
});

describe("what the server says of each job", () => {
  // Finding: "job 0" left open whether counting begins at 0 or 1.
  test("names a refused one as its place in the array", async () => {
    const jobs = [
      { id: "a", status: "enqueued" },
      { id: null, status: "failed", error: { code: "malformed", detail: "no" } },
    ];
    other.behave(answer(202, { body: JSON.stringify({ accepted: 1, jobs }) }));
    const { code, stdout, stderr } = await runCommand("enqueue", ["webhooks", "--url", other.url], {
      stdin: "[]",
    });
    expect({ code, stdout, stderr }).toEqual({
      code: 1,
      stdout: "a\n",
      stderr: "hookline: jobs[1]: no (malformed)\n",
    });
  });

  test("dead redrive names each id that is not there, and counts all deliveries of a job", async () => {
    const operation = { id: "0a1b", kind: "redrive", state: "done", dry_run: false, complete: true };
    const counts = {
      matched: 3,
      done: 3,
      redriven: 3,
      skipped: {},
      failed: {},
      not_found: ["b"],
      error: null,
    };
    other.behave(answer(200, { body: JSON.stringify({ ...operation, ...counts }) }));
    const args = ["redrive", "webhooks", "a", "b", "--url", other.url];
    const { code, stdout, stderr } = await runCommand("dead", args);
    expect({ code, stdout, stderr }).toEqual({
      code: 1,
      stdout: "3 redriven\n",
      stderr: "hookline: b: not there\n",
    });
  });

  test("dead ls calls a page a sample only where no cursor leads on", async () => {
    const page = (cursor: string | null) =>
      answer(200, { body: JSON.stringify({ items: [], cursor, complete: false }) });
    other.behave(page("7"));
    expect(await said("dead", ["ls", "webhooks", "--url", other.url])).toBe(
      "no dead letters\nmore: --cursor 7\n",
    );
    other.behave(page(null));
    expect(await said("dead", ["ls", "webhooks", "--url", other.url])).toContain("this is a sample");
  });
});

import { afterEach, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { resolve } from "node:path";
import { Cut } from "../../../src/delivery/cut.ts";
import { classify } from "../../../src/delivery/classify.ts";
import { dial } from "../../../src/delivery/http1/dial.ts";
import { createHttp1Exchange } from "../../../src/delivery/http1/exchange.ts";
import { startBareServer } from "../../support/bare-server.ts";
import { startReceiver } from "../../support/receiver.ts";
import { until } from "../../support/until.ts";
import { attempt, httpEndpoint, transportOver } from "../attempts.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A port where a connection is neither taken nor refused: its listener sleeps, and its queue is full. */
async function deafPort(): Promise<number> {
  const program = resolve(import.meta.dir, "../../support/deaf-listener.ts");
  const child = Bun.spawn([process.execPath, program], { stdout: "pipe" });
  const held: Socket[] = [];
  cleanups.push(async () => {
    for (const socket of held) socket.destroy();
    child.kill("SIGKILL");
    await child.exited;
  });
  const { value } = await child.stdout.getReader().read();
  const port = Number(Buffer.from(value ?? []).toString());
  for (let n = 0; n < 5_000; n += 1) {
    const socket = connect(port, "127.0.0.1");
    held.push(socket);
    socket.on("error", () => undefined);
    const isTaken = await new Promise<boolean>((done) => {
      const timer = setTimeout(done, 300, false);
      socket.once("connect", () => {
        clearTimeout(timer);
        done(true);
      });
    });
    // A connection that is merely slow is not one that is being dialled.
    if (isTaken || dialling(port) === 0) continue;
    socket.destroy();
    await until(() => dialling(port) === 0, { what: "the last one to be given up" });
    return port;
  }
  throw new Error("the listener's queue does not fill");
}

/** Sockets of this machine that are connecting to the port: state 02 is SYN_SENT. */
function dialling(port: number): number {
  const remote = `0100007F:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const lines = readFileSync("/proc/net/tcp", "utf8").split("\n");
  return lines.filter((line) => {
    const fields = line.trim().split(/\s+/);
    return fields[2] === remote && fields[3] === "02";
  }).length;
}

// Only Linux tells of its sockets in a file.
test.skipIf(process.platform !== "linux")(
  "an abort and a deadline while dialling close the socket at once",
  async () => {
    const port = await deafPort();
    const transport = transportOver(createHttp1Exchange());
    cleanups.push(() => transport.close());
    const endpoint = httpEndpoint(`http://127.0.0.1:${port}/`);
    const controller = new AbortController();
    const pending = attempt(transport, endpoint, { signal: controller.signal });
    await until(() => dialling(port) === 1, { what: "the connection to be tried" });
    controller.abort();
    expect((await pending).kind).toBe("aborted");
    await until(() => dialling(port) === 0, { what: "the socket to be closed" });
    expect((await attempt(transport, endpoint, { timeoutMs: 50 })).kind).toBe("timeout");
    await until(() => dialling(port) === 0, { what: "the socket to be closed" });
  },
);

describe("dialling", () => {
  test("what was cut off already opens nothing", async () => {
    await using receiver = await startReceiver();
    const { port } = receiver;
    const cut = new Cut();
    cut.cut();
    const error = await dial({ address: "127.0.0.1", port, tls: null }, cut).catch((error: unknown) => error);
    expect(error).toMatchObject({ name: "AbortError" });
    await until(() => receiver.openConnections === 0, { what: "no connection to be open" });
    expect(receiver.count).toBe(0);
  });

  test("an abort right after it has connected leaves nothing open", async () => {
    await using receiver = await startReceiver();
    const transport = transportOver(createHttp1Exchange());
    for (let n = 0; n < 20; n++) {
      const controller = new AbortController();
      const pending = attempt(transport, httpEndpoint(receiver.url), { signal: controller.signal });
      // The receiver's side is up: ours is up too, or will be in this turn of the loop.
      await until(() => receiver.connections === n + 1, { everyMs: 0, what: "the connection" });
      controller.abort();
      expect(["aborted", "delivered"]).toContain((await pending).kind);
      await transport.close();
      await until(() => receiver.openConnections === 0, { what: "the connection to be closed" });
    }
  });

  test("an error that comes when the attempt is over finds somebody who hears it", async () => {
    await using server = await startBareServer();
    const { port } = server;
    const socket = await dial({ address: "127.0.0.1", port, tls: null }, new Cut());
    expect(socket.listenerCount("error")).toBe(1);
    expect(() => socket.emit("error", new Error("late"))).not.toThrow();
    socket.destroy();
  });

  test("nobody listening is a connect failure", async () => {
    const server = await startBareServer();
    await server.close();
    const { port } = server;
    const error = await dial({ address: "127.0.0.1", port, tls: null }, new Cut()).catch(
      (error: unknown) => error,
    );
    expect(classify(error)).toEqual({ kind: "connect", code: "ECONNREFUSED" });
  });
});

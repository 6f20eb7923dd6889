/**
 * A program of its own, for test/delivery/http1/dial.test.ts: listens on a free port, prints it, and never takes a
 * connection. Once the queue of its listener is full, connections to it are neither made nor refused.
 */
import { writeSync } from "node:fs";
import { createServer } from "node:net";

const server = createServer();
server.listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  writeSync(1, String(address.port));
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
});

/**
 * Sends the same request again and again over so many connections, on bare sockets, because it shares the machine with what
 * is measured. Environment: PORT, REQUEST (the whole request as text), REQUESTS, CONNECTIONS. Prints the seconds it took;
 * ends with 1 when an answer is no 2xx.
 */
import process from "node:process";
const { PORT = "0", REQUEST = "", REQUESTS = "0", CONNECTIONS = "64" } = process.env;
const total = Number(REQUESTS);
let sent = 0;
let answered = 0;
const { promise, resolve } = Promise.withResolvers<void>();

function sendNext(socket: Bun.Socket<{ rest: string }>): void {
  if (sent === total) return;
  sent += 1;
  socket.write(REQUEST);
}

const startedAt = performance.now();
for (let n = 0; n < Number(CONNECTIONS); n += 1) {
  await Bun.connect<{ rest: string }>({
    hostname: "127.0.0.1",
    port: Number(PORT),
    socket: {
      open(socket) {
        socket.data = { rest: "" };
        sendNext(socket);
      },
      data(socket, part) {
        socket.data.rest += part.toString("latin1");
        const { rest } = socket.data;
        const headEnd = rest.indexOf("\r\n\r\n");
        if (headEnd < 0) return;
        const length = Number(/\r\ncontent-length: *(\d+)/i.exec(rest.slice(0, headEnd + 2))?.[1] ?? 0);
        if (rest.length < headEnd + 4 + length) return;
        if (!rest.startsWith("HTTP/1.1 2")) {
          console.error(`an answer that is no success: ${rest.slice(0, 200)}`);
          process.exit(1);
        }
        socket.data.rest = "";
        answered += 1;
        if (answered === total) resolve();
        sendNext(socket);
      },
    },
  });
}
await promise;
console.log((performance.now() - startedAt) / 1_000);
process.exit(0);

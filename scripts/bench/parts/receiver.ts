/**
 * The receiver of a benchmark, a process of its own: answers 200 to every POST and keeps the times.
 *
 * On bare sockets, because it shares the machine with what is measured: an HTTP server would cost about as
 * much CPU a request as the sender. Understands what HTTP clients send here: Content-Length bodies on kept
 * connections, several requests or parts of one in a packet.
 *
 * Prints its port. GET /report answers `{count, firstAt, lastAt, marks, latencies}` (epoch ms; latencies in
 * ms, of bodies that carry `"sent_at":"<epoch ms>"`) and starts anew.
 */
let count = 0;
let firstAt = 0;
let lastAt = 0;
let marks: number[] = [];
let latencies: number[] = [];
let timed = false;

const now = (): number => performance.timeOrigin + performance.now();
const accepted = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

function receive(body: string): string {
  const at = now();
  if (count === 0) firstAt = at;
  count += 1;
  lastAt = at;
  // Every ten thousandth, to see whether the rate stays.
  if (count % 10_000 === 0) marks.push(at);
  if (timed) {
    const sent = /"sent_at":"([\d.]+)"/.exec(body)?.[1];
    if (sent !== undefined) latencies.push(at - Number(sent));
  }
  return accepted;
}

function answerGet(path: string): string {
  let body = String(count);
  if (!path.startsWith("/count")) {
    body = JSON.stringify({ count, firstAt, lastAt, marks, latencies });
    count = firstAt = lastAt = 0;
    marks = [];
    latencies = [];
    timed = path.includes("timed=1");
  }
  return `HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
}

/** The answers to the whole requests in a text, and what is left of it. */
function consume(text: string): { answers: string; rest: string } {
  let answers = "";
  let at = 0;
  for (;;) {
    const headEnd = text.indexOf("\r\n\r\n", at);
    if (headEnd < 0) break;
    const head = text.slice(at, headEnd);
    const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
    const end = headEnd + 4 + length;
    if (text.length < end) break;
    answers += head.startsWith("GET ")
      ? answerGet(head.slice(4, head.indexOf(" ", 4)))
      : receive(timed ? text.slice(headEnd + 4, end) : "");
    at = end;
  }
  return { answers, rest: at === 0 ? text : text.slice(at) };
}

const server = Bun.listen<{ rest: string; unsent: string }>({
  hostname: "127.0.0.1",
  port: 0,
  socket: {
    open(socket) {
      socket.data = { rest: "", unsent: "" };
    },
    data(socket, chunk) {
      // One character a byte, so that lengths are bytes.
      const { answers, rest } = consume(socket.data.rest + chunk.toString("latin1"));
      socket.data.rest = rest;
      send(socket, answers);
    },
    drain(socket) {
      send(socket, "");
    },
  },
});
function send(socket: Bun.Socket<{ rest: string; unsent: string }>, answers: string): void {
  const out = socket.data.unsent + answers;
  if (out === "") return;
  const written = socket.write(out);
  socket.data.unsent = written < out.length ? out.slice(Math.max(0, written)) : "";
}
process.stdout.write(`${server.port}\n`);

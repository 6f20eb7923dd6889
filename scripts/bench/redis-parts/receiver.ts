/**
 * The receiver of a benchmark, a process of its own: answers 200 to every POST and keeps the times.
 *
 * Prints its port. GET /report answers `{count, firstAt, lastAt, distinct, latencies}` (epoch ms; latencies in
 * ms, of bodies that carry `"sent_at":"<epoch ms>"`) and starts anew.
 */
let count = 0;
let firstAt = 0;
let lastAt = 0;
let marks: number[] = [];
let latencies: number[] = [];
let timed = false;

const now = (): number => performance.timeOrigin + performance.now();

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  idleTimeout: 60,
  async fetch(request) {
    if (request.method === "GET") {
      const { pathname, searchParams } = new URL(request.url);
      if (pathname === "/count") return new Response(String(count));
      const report = { count, firstAt, lastAt, marks, latencies };
      count = firstAt = lastAt = 0;
      marks = [];
      latencies = [];
      timed = searchParams.get("timed") === "1";
      return Response.json(report);
    }
    const at = now();
    if (count === 0) firstAt = at;
    count += 1;
    lastAt = at;
    // Every ten thousandth, to see whether the rate stays.
    if (count % 10_000 === 0) marks.push(at);
    const body = await request.text();
    if (timed) {
      const sent = /"sent_at":"([\d.]+)"/.exec(body)?.[1];
      if (sent !== undefined) latencies.push(at - Number(sent));
    }
    return new Response(null, { status: 200 });
  },
});
process.stdout.write(`${server.port}\n`);

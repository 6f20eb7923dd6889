/**
 * The program behind test/support/receiver-process.ts: a receiver that does not share its event loop with the
 * test, so that what the test does is not taken for latency. Spoken to over IPC.
 */
import {
  everything,
  type NamedBehaviour,
  type ReceivedByName,
  type ReceiverCommand,
} from "./receiver-process.ts";

interface Endpoint extends ReceivedByName {
  readonly behaviour: NamedBehaviour;
  readonly distinct: Set<number>;
}

const endpoints = new Map<string, Endpoint>();

function endpointOf(name: string): Endpoint {
  const known = endpoints.get(name);
  if (known !== undefined) return known;
  const made = create({ status: 200 }, 0);
  endpoints.set(name, made);
  return made;
}

function create(behaviour: NamedBehaviour, inFlight: number): Endpoint {
  return { behaviour, inFlight, mostInFlight: inFlight, at: [], delaysMs: [], jobs: [], distinct: new Set() };
}

async function handle(request: Request): Promise<Response> {
  const at = performance.timeOrigin + performance.now();
  const name = new URL(request.url).pathname.slice(1);
  const text = await request.text();
  const endpoint = endpointOf(name);
  endpoint.at.push(at);
  const job = /"n":(\d+),"sent_at":([\d.]+)/.exec(text);
  if (job !== null) {
    endpoint.jobs.push(Number(job[1]));
    endpoint.distinct.add(Number(job[1]));
    endpoint.delaysMs.push(at - Number(job[2]));
  }
  for (const each of [endpoint, endpointOf(everything)]) {
    each.inFlight += 1;
    each.mostInFlight = Math.max(each.mostInFlight, each.inFlight);
  }
  const { behaviour } = endpoint;
  try {
    if (behaviour === "hang") await untilGone(request);
    else if (behaviour.delayMs !== undefined) await Bun.sleep(behaviour.delayMs);
  } finally {
    // By name again: a `clear` in between has put another record there.
    for (const each of [name, everything]) endpointOf(each).inFlight -= 1;
  }
  if (behaviour === "hang") return new Response(null, { status: 500 });
  return new Response("ok", { status: behaviour.status, headers: behaviour.headers ?? {} });
}

function untilGone(request: Request): Promise<void> {
  return new Promise((resolve) => {
    request.signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

const server = Bun.serve({ port: 0, hostname: "127.0.0.1", idleTimeout: 0, fetch: handle });

process.on("message", (command: ReceiverCommand) => {
  if (command.do === "behave") {
    for (const name of command.names) {
      endpoints.set(name, { ...endpointOf(name), behaviour: command.behaviour });
    }
    process.send?.({ id: command.id, value: null });
    return;
  }
  if (command.do === "count") {
    process.send?.({ id: command.id, value: endpointOf(command.name).distinct.size });
    return;
  }
  const received = Object.fromEntries(
    [...endpoints].map(([name, { inFlight, mostInFlight, at, delaysMs, jobs }]) => [
      name,
      { inFlight, mostInFlight, at, delaysMs, jobs } satisfies ReceivedByName,
    ]),
  );
  if (command.do === "clear") {
    for (const [name, { behaviour, inFlight }] of endpoints) endpoints.set(name, create(behaviour, inFlight));
  }
  process.send?.({ id: command.id, value: received });
});
// The test is gone: nothing is left running after it.
process.on("disconnect", () => process.exit(0));
process.send?.({ port: server.port });

import { afterAll, beforeAll, expect, test } from "bun:test";
import { crowdedCertificate } from "../support/certificates.ts";
import { type Executable, startExecutable } from "../support/executable.ts";
import { type Behaviour, raw, type Receiver, startReceiver } from "../support/receiver.ts";
import { until } from "../support/until.ts";

// A receiver can put anything into an answer. What hookline keeps and says of it is bounded, whatever it is.

const big = (letter: string, count = 200_000): string => letter.repeat(count);
const rest = "content-length: 2\r\n\r\nno";
/** An answer with this head, and a connection that is kept. */
const head = (text: string): Behaviour => raw(`${text}\r\n${rest}`, "keep");
const failure = "HTTP/1.1 400 No";

/** A part of an answer, as large and as odd as it can be. */
const answers: Readonly<Record<string, Behaviour>> = {
  "status-text": head(`HTTP/1.1 400 ${big("s")}`),
  "status-text-controls": head(`HTTP/1.1 400 ${big("\u001b")}`),
  "status-number": head(`HTTP/1.1 4${big("0")} No`),
  version: head(`HTTP/${big("1")} 400 No`),
  "header-name": head(`${failure}\r\n${big("n")}: v`),
  "header-value": head(`${failure}\r\nname: ${big("v")}`),
  "many-headers": head(`${failure}\r\n${"name: v\r\n".repeat(20_000)}end: v`),
  "a-megabyte": head(`${failure}\r\nname: ${big("m", 1_000_000)}`),
  "folded-header": head(`${failure}\r\nname: v\r\n ${big("f")}`),
  "location-host": head(`HTTP/1.1 307 No\r\nlocation: https://${big("h")}.test/`),
  "location-host-dots": head(`HTTP/1.1 307 No\r\nlocation: https://${big(".")}/`),
  "location-scheme": head(`HTTP/1.1 307 No\r\nlocation: ${big("s")}://host.test/`),
  "location-path": head(`HTTP/1.1 307 No\r\nlocation: /${big("p")}`),
  "location-escapes": head(`HTTP/1.1 307 No\r\nlocation: https://${'\\u0041\\"'.repeat(20_000)}/`),
  "location-host-long": head(`HTTP/1.1 307 No\r\nlocation: https://${big("l", 300)}.test/${big("p")}`),
  "location-user": head(`HTTP/1.1 307 No\r\nlocation: https://${big("u")}@host.test/`),
  "retry-after-digits": head(`HTTP/1.1 400 No\r\nretry-after: ${big("9")}`),
  "retry-after-text": head(`HTTP/1.1 400 No\r\nretry-after: Mon, ${big("x")} GMT`),
  "keep-alive": head(`${failure}\r\nkeep-alive: timeout=${big("1")}, ${big("k", 20_000)}`),
  connection: head(`${failure}\r\n${`connection: ${big("c", 900)}\r\n`.repeat(200)}end: v`),
  "transfer-encoding": raw(`${failure}\r\ntransfer-encoding: ${big("t")}\r\n\r\n`, "close"),
  "content-length": raw(`${failure}\r\ncontent-length: ${big("1")}\r\n\r\n`, "close"),
  "interim-answers": raw(`HTTP/1.1 103 ${big("i", 100)}\r\n\r\n`.repeat(5_000), "close"),
  "chunk-extension": raw(
    `${failure}\r\ntransfer-encoding: chunked\r\n\r\n2;${big("e")}\r\nno\r\n0\r\n\r\n`,
    "close",
  ),
  "chunk-size": raw(`${failure}\r\ntransfer-encoding: chunked\r\n\r\n${big("f")}\r\n`, "close"),
  trailers: raw(`${failure}\r\ntransfer-encoding: chunked\r\n\r\n0\r\nname: ${big("t")}\r\n\r\n`, "close"),
  body: raw(`${failure}\r\n\r\n${big("b", 1_000_000)}`, "close"),
  "no-http": raw(big("x", 1_000_000), "close"),
};
const proxyAnswers: Readonly<Record<string, Behaviour>> = {
  "proxy-status-text": head(`HTTP/1.1 407 ${big("p")}`),
  "proxy-headers": head(`HTTP/1.1 503 No\r\nproxy-authenticate: ${big("a")}`),
  "proxy-no-http": raw(big("x"), "close"),
};
const functionAnswers: Readonly<Record<string, Behaviour>> = {
  "function-error": head(`HTTP/1.1 200 OK\r\nx-amz-function-error: ${big("e", 8_000)}`),
  "function-error-odd": head('HTTP/1.1 200 OK\r\nx-amz-function-error: Un"handled\\u0041'),
  "function-payload": raw(
    `HTTP/1.1 200 OK\r\nx-amz-function-error: Unhandled\r\ncontent-length: 1000002\r\n\r\n"${big("p", 1_000_000)}"`,
    "keep",
  ),
  "lambda-error-type": head(`HTTP/1.1 400 No\r\nx-amzn-errortype: ${big("t", 8_000)}`),
  "lambda-error-text": raw(
    `HTTP/1.1 400 No\r\nx-amzn-errortype: X\r\ncontent-length: 1000015\r\n\r\n{"message":"${big("m", 1_000_000)}" }`,
    "keep",
  ),
  "lambda-no-json": raw(
    `HTTP/1.1 400 No\r\nx-amzn-errortype: ${big("t", 8_000)}\r\n\r\n${big("<")}`,
    "close",
  ),
};
const tlsNames = ["certificate-names", "certificate-untrusted"];
const names = [
  ...Object.keys(answers),
  ...Object.keys(proxyAnswers),
  ...Object.keys(functionAnswers),
  ...tlsNames,
];

const attemptBytes = 16_384;
const jobBytes = 65_536;
const attempts = 3;

let receiver: Receiver;
let crowd: Receiver;
let server: Executable;

beforeAll(async () => {
  receiver = await startReceiver({
    record: false,
    behaviour: ({ path }) => {
      const name =
        /^\/(?:[^/]*\/functions\/)?([a-z-]+)/.exec(path)?.[1] ?? path.replace(/\.localhost:443$/, "");
      const behaviour = answers[name] ?? proxyAnswers[name] ?? functionAnswers[name];
      if (behaviour === undefined) throw new Error(`nothing is prepared for ${path}`);
      return behaviour;
    },
  });
  const pair = crowdedCertificate();
  crowd = await startReceiver({ tls: pair });
  const proxy = receiver.url;
  const keys = { accessKeyId: "key", secretAccessKey: "hostile-secret-access-key" };
  const targets = [
    ...Object.keys(answers).map((name) => [name, { url: `${receiver.url}/${name}` }] as const),
    // The proxy is told the name; hookline looks it up as well.
    ...Object.keys(proxyAnswers).map((name) => [name, { url: `https://${name}.localhost/`, proxy }] as const),
    ...Object.keys(functionAnswers).map(
      (name) =>
        [
          name,
          {
            lambda: {
              function_name: name,
              region: "eu-west-1",
              client_options: { ...keys, endpoint: receiver.url },
            },
          },
        ] as const,
    ),
    ["certificate-names", { url: crowd.url, tls: { ca: pair.cert } }] as const,
    ["certificate-untrusted", { url: crowd.url }] as const,
  ];
  const common = { signing: "none", breaker: { min_attempts: 1_000_000 } };
  server = await startExecutable({
    queue: { driver: "memory", memory: { concurrency: 64 } },
    webhooks: {
      request_timeout_ms: 5_000,
      retry: { max_attempts: attempts, initial_backoff_ms: 10, max_backoff_ms: 20, retry_on: [400] },
    },
    endpoints: Object.fromEntries(targets.map(([name, target]) => [name, { ...target, ...common }])),
  });
});

afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await receiver?.close();
  await crowd?.close();
});

const jobFor = (endpoint: string, n = 0): object => ({
  id: `${endpoint}-${n}`,
  type: "t",
  data: n,
  endpoint,
});
const size = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));

test("no part of an answer makes an attempt cost more than 16 KiB, or a job more than 64 KiB", async () => {
  const output = server.output().length;
  await server.enqueue(
    "webhooks",
    names.map((name) => jobFor(name)),
  );
  await server.untilIdle();
  const { items } = (await server.api("GET", "/v1/queues/webhooks/dead?limit=1000")).body as {
    items: { endpoint: string; attempts: number; detail: string; job: object }[];
  };
  expect(items.map(({ endpoint }) => endpoint).toSorted()).toEqual(names.toSorted());
  for (const { job: _job, ...letter } of items) {
    const name = letter.endpoint;
    expect(letter.detail.length, name).toBeLessThanOrEqual(500);
    const lines = server.logs().filter((line) => line["endpoint"] === name);
    const made = lines.filter(({ msg }) => msg === "attempt").length;
    expect(made, name).toBe(letter.attempts);
    const { body } = await server.api("GET", `/v1/endpoints/-/${name}/attempts?limit=100`);
    const cost = size(lines) + size(letter) + size(body);
    expect(cost, name).toBeLessThan(Math.min(attemptBytes * made, jobBytes));
  }
  // Lines that name no endpoint count too.
  expect(server.output().length - output).toBeLessThan(names.length * jobBytes);
  // What is shown all the same.
  const details = Object.fromEntries(items.map(({ endpoint, detail }) => [endpoint, detail]));
  expect(details["location-host"]).toBe("HTTP 307, redirects are not followed");
  expect(details["location-host-long"]).toMatch(/^HTTP 307 to https:\/\/l{252}…, redirects/);
  expect(details["function-error"]).toBe("the Lambda function failed: unknown");
  expect(details["certificate-names"]).toBe("tls: ERR_TLS_CERT_ALTNAME_INVALID");
  expect(details["a-megabyte"]).toBe("protocol: ERR_HTTP_HEAD_TOO_LARGE");
});

test("a thousand jobs answered with 200 KB of Location leave nothing of it in memory", async () => {
  const resident = async (): Promise<number> => {
    const { text } = await server.api("GET", "/metrics");
    return Number(/^hookline_process_resident_memory_bytes (\d+)$/m.exec(text)?.[1]);
  };
  const send = async (first: number, count: number): Promise<void> => {
    const jobs = Array.from({ length: count }, (_, n) => jobFor("location-host", first + n));
    const before = (await server.stats())["dead"] ?? 0;
    await server.enqueue("webhooks", jobs);
    await until(async () => (await server.stats())["dead"] === before + count, {
      timeoutMs: 90_000,
      what: "their dead letters",
    });
  };
  // The code is compiled and the heap has found its size.
  await send(1, 400);
  const before = await resident();
  await send(1_001, 1_000);
  // 200 MB, where each answer stays.
  await until(async () => (await resident()) - before < 100_000_000, {
    timeoutMs: 90_000,
    what: "memory that stays flat",
  });
  expect((await server.api("GET", "/v1/queues/webhooks/dead?limit=1")).status).toBe(200);
}, 240_000);

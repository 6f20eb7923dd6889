import { afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/clock.ts";
import { createDeadlines } from "../../src/delivery/deadline.ts";
import type { Endpoint } from "../../src/delivery/endpoint.ts";
import { createLambdaTransport } from "../../src/delivery/lambda.ts";
import { mapLambdaOptions } from "../../src/delivery/lambda-options.ts";
import type { Transport } from "../../src/delivery/transport.ts";
import { answer, type Behaviour, cut, hang, type Receiver, startReceiver } from "../support/receiver.ts";
import { signatureProblem } from "../support/sigv4.ts";
import { until } from "../support/until.ts";
import { attempt, httpEndpoint } from "./attempts.ts";

const keys = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" };
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A stand-in for the Invoke API; it answers 400 to a wrong signature. */
async function invokeApi(behaviour: Behaviour): Promise<Receiver> {
  const api = await startReceiver({
    behaviour: (request) => {
      const expected = { ...keys, region: "eu-west-1", service: "lambda" };
      const problem = signatureProblem(request, expected);
      return problem === null ? behaviour : answer(400, { body: problem });
    },
  });
  cleanups.push(() => api.close());
  return api;
}

function transport(): Transport {
  const made = createLambdaTransport({ clock: systemClock, deadlines: createDeadlines(systemClock) });
  cleanups.push(() => made.close());
  return made;
}

function lambdaEndpoint(api: Receiver, async = false, name = "on-webhook"): Endpoint {
  return httpEndpoint("http://unused.test/", {
    target: {
      kind: "lambda",
      functionName: name,
      region: "eu-west-1",
      async,
      clientOptions: { ...keys, endpoint: api.url, maxRetries: 5 },
    },
  });
}

const error = (status: number, type: string, headers: Record<string, string> = {}): Behaviour =>
  answer(status, {
    headers: { "content-type": "application/json", "x-amzn-errortype": type, ...headers },
    body: JSON.stringify({ Type: "User", Message: "no", message: "no" }),
  });

test("a function is invoked with payload and headers, signed with Signature Version 4", async () => {
  const api = await invokeApi(answer(200, { body: '{"done":true}' }));
  const body = '{"time_ms":1,"events":[{"n":12345678901234567890,"x":1.0}]}';
  const outcome = await attempt(transport(), lambdaEndpoint(api), {
    body,
    headers: [
      ["Content-Type", "application/json"],
      ["X-Pusher-Signature", "abc"],
    ],
  });
  expect(outcome).toMatchObject({ kind: "delivered", status: 200 });
  const request = await api.waitFor(1);
  expect(request.path).toBe("/2015-03-31/functions/on-webhook/invocations");
  expect(request.headers["x-amz-invocation-type"]).toBe("RequestResponse");
  expect(request.text).toBe(
    `{"payload":${body},"headers":{"content-type":"application/json","x-pusher-signature":"abc"}}`,
  );
});

test("an asynchronous function is invoked as Event", async () => {
  const api = await invokeApi(answer(202, { body: "" }));
  expect(await attempt(transport(), lambdaEndpoint(api, true))).toMatchObject({
    kind: "delivered",
    status: 202,
  });
  expect((await api.waitFor(1)).headers["x-amz-invocation-type"]).toBe("Event");
});

test("a function named by its ARN is invoked", async () => {
  const api = await invokeApi(answer(200));
  const arn = "arn:aws:lambda:eu-west-1:123456789012:function:on-webhook";
  expect(await attempt(transport(), lambdaEndpoint(api, false, arn))).toMatchObject({ kind: "delivered" });
  expect(decodeURIComponent((await api.waitFor(1)).path)).toContain(arn);
});

test("text that is no JSON, and bytes, travel inside JSON", async () => {
  const api = await invokeApi(answer(200));
  const functions = transport();
  await attempt(functions, lambdaEndpoint(api), { body: 'not "json"', headers: [] });
  await attempt(functions, lambdaEndpoint(api), { body: new Uint8Array([0, 255]), headers: [] });
  expect(api.requests.map((request) => JSON.parse(request.text) as unknown)).toEqual([
    { payload: 'not "json"', headers: {} },
    { payload: "AP8=", isBase64Encoded: true, headers: {} },
  ]);
});

describe("outcomes", () => {
  test.each([
    [
      "a function that throws",
      answer(200, { headers: { "X-Amz-Function-Error": "Unhandled" }, body: "{}" }),
      { kind: "function_error", code: "Unhandled" },
    ],
    [
      "throttling",
      error(429, "TooManyRequestsException", { "retry-after": "3" }),
      { kind: "http_status", status: 429, retryAfterMs: 3000 },
    ],
    ["no such function", error(404, "ResourceNotFoundException"), { kind: "http_status", status: 404 }],
    ["access denied", error(403, "AccessDeniedException"), { kind: "http_status", status: 403 }],
    [
      "a token that has expired",
      error(403, "ExpiredTokenException"),
      { kind: "protocol", code: "ExpiredTokenException" },
    ],
    [
      "an event that is too large",
      error(413, "RequestTooLargeException"),
      { kind: "http_status", status: 413 },
    ],
    [
      "a function being updated",
      error(409, "ResourceConflictException"),
      { kind: "http_status", status: 409 },
    ],
    ["a fault of the service", error(500, "ServiceException"), { kind: "http_status", status: 500 }],
    ["an error that is not JSON", answer(502, { body: "<html>" }), { kind: "http_status", status: 502 }],
    ["a reset", cut("reset"), { kind: "reset", code: "ECONNRESET" }],
  ] as [string, Behaviour, object][])("%s", async (_what, behaviour, expected) => {
    const api = await invokeApi(behaviour);
    expect(await attempt(transport(), lambdaEndpoint(api))).toMatchObject(expected);
    // The SDK's own retries are off, whatever client_options say.
    expect(api.count).toBe(1);
  });

  test("an API that cannot be reached is a connect failure", async () => {
    const api = await startReceiver();
    await api.close();
    expect(await attempt(transport(), lambdaEndpoint(api))).toMatchObject({
      kind: "connect",
      code: "ECONNREFUSED",
    });
  });

  test("a function that does not end meets the deadline", async () => {
    const api = await invokeApi(hang("head"));
    const functions = transport();
    const outcome = await attempt(functions, lambdaEndpoint(api), { timeoutMs: 300 });
    expect(outcome.kind).toBe("timeout");
    await until(() => api.openConnections === 0, { what: "the connection to be closed" });
  });

  test("an abort is an abort", async () => {
    const api = await invokeApi(hang("head"));
    const controller = new AbortController();
    const pending = attempt(transport(), lambdaEndpoint(api), { signal: controller.signal });
    await api.waitFor(1);
    controller.abort();
    expect((await pending).kind).toBe("aborted");
  });

  test("a hundred slow functions run at the same time", async () => {
    const api = await invokeApi(answer(200, { delayMs: 300 }));
    const functions = transport();
    const endpoint = lambdaEndpoint(api);
    const started = performance.now();
    const outcomes = await Promise.all(Array.from({ length: 100 }, () => attempt(functions, endpoint)));
    expect(outcomes.every(({ kind }) => kind === "delivered")).toBeTrue();
    expect(performance.now() - started).toBeLessThan(15_000);
  });
});

describe("client options", () => {
  test("SDK v2's names are understood, ours win, and what is unknown is named without its value", () => {
    const { settings, issues } = mapLambdaOptions(
      {
        ...keys,
        sslEnabled: false,
        endpoint: "http://localhost:9",
        maxRetries: 3,
        agent: "secret",
        tls: "yes",
      },
      "apps.0.webhooks.0.lambda.client_options",
    );
    expect(settings).toEqual({ credentials: keys, tls: false, endpoint: "http://localhost:9" });
    expect(issues.map(({ path }) => path)).toEqual([
      "apps.0.webhooks.0.lambda.client_options.agent",
      "apps.0.webhooks.0.lambda.client_options.tls",
    ]);
    expect(JSON.stringify(issues)).not.toContain("secret");
  });

  test("half a pair of credentials is an issue", () => {
    const { issues } = mapLambdaOptions({ accessKeyId: "a" }, "x");
    expect(issues.map(({ path }) => path)).toEqual(["x.secretAccessKey"]);
    expect(mapLambdaOptions({ credentials: { ...keys, sessionToken: "t" } }, "x")).toEqual({
      settings: { credentials: { ...keys, sessionToken: "t" } },
      issues: [],
    });
  });
});

test("credentials that AWS refuses are read anew from their file, within the same attempt", async () => {
  const folder = mkdtempSync(join(tmpdir(), "hookline-aws-"));
  const names = [
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_CONFIG_FILE",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
  ];
  const before = names.map((name) => [name, process.env[name]] as const);
  cleanups.push(() => {
    rmSync(folder, { recursive: true });
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  });
  for (const name of names) delete process.env[name];
  process.env["AWS_SHARED_CREDENTIALS_FILE"] = join(folder, "credentials");
  process.env["AWS_CONFIG_FILE"] = join(folder, "config");
  const write = (key: string): void =>
    writeFileSync(
      join(folder, "credentials"),
      `[default]\naws_access_key_id = ${key}\naws_secret_access_key = s\naws_session_token = t\n`,
    );
  let refused = "none";
  const api = await startReceiver({
    behaviour: ({ headers }) =>
      headers["authorization"]?.includes(`Credential=${refused}/`) === true
        ? error(403, "ExpiredTokenException")
        : answer(200),
  });
  cleanups.push(() => api.close());
  const endpoint = httpEndpoint("http://unused.test/", {
    target: {
      kind: "lambda",
      functionName: "f",
      region: "eu-west-1",
      async: false,
      clientOptions: { endpoint: api.url },
    },
  });
  const functions = transport();
  write("AKIAFIRST");
  expect(await attempt(functions, endpoint)).toMatchObject({ kind: "delivered" });
  refused = "AKIAFIRST";
  write("AKIASECOND");
  expect(await attempt(functions, endpoint)).toMatchObject({ kind: "delivered" });
  expect(
    api.requests.map(({ headers }) => /Credential=(\w+)/.exec(headers["authorization"] ?? "")?.[1]),
  ).toEqual(["AKIAFIRST", "AKIAFIRST", "AKIASECOND"]);
});

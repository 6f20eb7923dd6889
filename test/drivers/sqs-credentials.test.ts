import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { refusesCredentials } from "../../src/aws-credentials.ts";
import { createSqsApi } from "../../src/queue/drivers/sqs/client.ts";
import type { SqsApi } from "../../src/queue/drivers/sqs/api.ts";
import { createSqsModel, type SqsModel } from "../support/sqs-model.ts";

// A credentials file that is rewritten while the process runs, as by a sidecar that renews temporary credentials.

let model: SqsModel;
let folder: string;
const names = [
  "AWS_SHARED_CREDENTIALS_FILE",
  "AWS_CONFIG_FILE",
  "AWS_ACCESS_KEY_ID",
  "AWS_SECRET_ACCESS_KEY",
];
const before = names.map((name) => [name, process.env[name]] as const);
const apis: SqsApi[] = [];

beforeEach(() => {
  model = createSqsModel();
  folder = mkdtempSync(join(tmpdir(), "hookline-aws-"));
  for (const name of names) delete process.env[name];
  process.env["AWS_SHARED_CREDENTIALS_FILE"] = join(folder, "credentials");
  process.env["AWS_CONFIG_FILE"] = join(folder, "config");
});
afterEach(async () => {
  for (const [name, value] of before) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
  for (const api of apis.splice(0)) api.destroy();
  rmSync(folder, { recursive: true });
  await model.stop();
});

function write(key: string): void {
  const lines = [
    "[default]",
    `aws_access_key_id = ${key}`,
    "aws_secret_access_key = s",
    "aws_session_token = t",
  ];
  writeFileSync(join(folder, "credentials"), `${lines.join("\n")}\n`);
}

async function open(config: Readonly<Record<string, unknown>> = {}): Promise<SqsApi> {
  const api = await createSqsApi({
    region: "us-east-1",
    endpointUrl: model.endpoint,
    config,
    requestTimeoutMs: null,
    warn: () => undefined,
  });
  apis.push(api);
  return api;
}

const codes = [
  "ExpiredToken",
  "ExpiredTokenException",
  "RequestExpired",
  "TokenRefreshRequired",
  "InvalidClientTokenId",
  "UnrecognizedClientException",
  "InvalidAccessKeyId",
  "SignatureDoesNotMatch",
  "AuthFailure",
];

describe.each(codes)("%s", (code) => {
  test("the file is read anew, by the calls that move messages and by AWS's client", async () => {
    const queue = model.create("a");
    const ref = { url: queue.url, name: "a" };
    const receive = { max: 1, waitSeconds: 0, visibilitySeconds: 30, fifo: false };
    write("AKIAFIRST");
    const api = await open();
    await api.receive(ref, receive);
    await api.attributes(ref);
    model.faults.refusedKeys.set("AKIAFIRST", code);
    write("AKIASECOND");
    await api.receive(ref, receive);
    const other = await open();
    write("AKIATHIRD");
    model.faults.refusedKeys.set("AKIASECOND", code);
    await other.attributes(ref);
    expect(await api.findUrl("a", null)).toBe(queue.url);
  });
});

test("also where no repetitions are configured", async () => {
  const queue = model.create("a");
  write("AKIAFIRST");
  const api = await open({ maxAttempts: 1 });
  const receive = { max: 1, waitSeconds: 0, visibilitySeconds: 30, fifo: false };
  await api.receive({ url: queue.url, name: "a" }, receive);
  model.faults.refusedKeys.set("AKIAFIRST", "ExpiredToken");
  write("AKIASECOND");
  expect(await api.receive({ url: queue.url, name: "a" }, receive)).toEqual([]);
});

test("when the old ones are still there, the call fails with what AWS said", async () => {
  const queue = model.create("a");
  write("AKIAFIRST");
  const api = await open();
  model.faults.refusedKeys.set("AKIAFIRST", "ExpiredToken");
  const receive = { max: 1, waitSeconds: 0, visibilitySeconds: 30, fifo: false };
  await expect(api.receive({ url: queue.url, name: "a" }, receive)).rejects.toMatchObject({
    kind: "credentials",
    sqsCode: "ExpiredToken",
  });
  expect(model.requests.get("ReceiveMessage")).toBeLessThanOrEqual(2);
  await expect(api.findUrl("a", null)).rejects.toMatchObject({ sqsCode: "ExpiredToken" });
  expect(model.requests.get("GetQueueUrl")).toBe(1);
});

test("what says nothing of the credentials refreshes nothing", () => {
  for (const code of ["AccessDenied", "RequestThrottled", "InvalidParameterValue", "ECONNRESET", ""]) {
    expect([code, refusesCredentials(code)]).toEqual([code, false]);
  }
});

import { afterEach, describe, expect, test } from "bun:test";
import { createSqsApi } from "../../src/queue/drivers/sqs/client.ts";
import { createDirectCaller } from "../../src/queue/drivers/sqs/direct.ts";
import { createMessageLines } from "../../src/queue/drivers/sqs/consumer/message-lines.ts";
import { createAttemptMemory } from "../../src/queue/drivers/sqs/attempts.ts";
import { createGroupRate, unlimitedRate } from "../../src/queue/drivers/sqs/consumer/rate.ts";
import { deadName, parseAddress, siblingUrl } from "../../src/queue/drivers/sqs/address.ts";
import { decodeBody, encodeBody, packBody } from "../../src/queue/drivers/sqs/body.ts";
import { decodeMeta } from "../../src/queue/drivers/sqs/meta.ts";
import { groupId, safeId } from "../../src/queue/drivers/sqs/ids.ts";
import { mapClientOptions } from "../../src/queue/drivers/sqs/client-options.ts";
import type { HeldMessage } from "../../src/queue/drivers/sqs/message.ts";
import { answer, startReceiver, type Receiver } from "../support/receiver.ts";
import { createSqsModel } from "../support/sqs-model.ts";
import { signatureProblem } from "../support/sigv4.ts";

test("a call of AWS's client that fails throws, and says nothing beside it", async () => {
  const model = createSqsModel();
  const warnings: string[] = [];
  const api = await createSqsApi({
    region: "us-east-1",
    endpointUrl: model.endpoint,
    config: { credentials: { accessKeyId: "t", secretAccessKey: "t" } },
    requestTimeoutMs: null,
    warn: (text) => void warnings.push(text),
  });
  await expect(api.findUrl("nothing", null)).rejects.toThrow("queue nothing does not exist");
  expect(warnings).toEqual([]);
  api.destroy();
  await model.stop();
});

describe("direct calls", () => {
  let receiver: Receiver;
  afterEach(() => receiver.close());

  const caller = (credentials = { accessKeyId: "AKID", secretAccessKey: "secret" }, forced: boolean[] = []) =>
    createDirectCaller({
      region: "eu-west-1",
      endpointUrl: receiver.url,
      credentials: (options) => {
        forced.push(options?.forceRefresh === true);
        return Promise.resolve(credentials);
      },
      maxAttempts: 3,
      timeoutMs: 2_000,
    });
  const json = (body: string) =>
    answer(200, { body, headers: { "content-type": "application/x-amz-json-1.0" } });

  for (const sessionToken of [undefined, "a/session+token=="]) {
    test(`are signed ${sessionToken === undefined ? "with long-term" : "with temporary"} credentials`, async () => {
      receiver = await startReceiver();
      receiver.behave(json("{}"));
      const keys = { accessKeyId: "AKID", secretAccessKey: "s3cret/+" };
      const credentials = sessionToken === undefined ? keys : { ...keys, sessionToken };
      await caller(credentials).call("DeleteMessageBatch", "http://unused/1/q", {
        QueueUrl: "ü",
        Entries: [],
      });
      const request = await receiver.waitFor(1);
      expect(signatureProblem(request, { ...keys, region: "eu-west-1", service: "sqs" })).toBeNull();
      expect(request.headers["x-amz-target"]).toBe("AmazonSQS.DeleteMessageBatch");
      expect(request.headers["x-amz-security-token"] ?? null).toBe(sessionToken ?? null);
    });
  }

  test("a wrong clock is corrected by the server's", async () => {
    receiver = await startReceiver();
    const ahead = 3 * 3_600_000;
    receiver.behave((_, n) =>
      n > 1
        ? json('{"Messages":[]}')
        : answer(403, {
            body: '{"__type":"com.amazon.coral.service#InvalidSignatureException","message":"Signature expired"}',
            headers: { date: new Date(Date.now() + ahead).toUTCString() },
          }),
    );
    await caller().call("ReceiveMessage", "http://unused/1/q", {});
    const [first, second] = receiver.requests.map(({ headers }) => headers["x-amz-date"] ?? "");
    const parse = (text: string) =>
      Date.parse(text.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z"));
    expect(Math.abs(parse(second!) - parse(first!) - ahead)).toBeLessThan(60_000);
  });

  test("expired credentials are fetched anew once", async () => {
    receiver = await startReceiver();
    receiver.behave((_, n) =>
      n > 1 ? json("{}") : answer(403, { body: '{"__type":"x#ExpiredTokenException","message":"expired"}' }),
    );
    const forced: boolean[] = [];
    await caller(undefined, forced).call("DeleteMessageBatch", "http://unused/1/q", {});
    expect(forced).toEqual([false, true]);
  });

  test("an error's code and text are cut where they are read", async () => {
    receiver = await startReceiver();
    const long = "x".repeat(100_000);
    receiver.behave(
      answer(403, { body: JSON.stringify({ __type: `a#AccessDenied${long}`, message: long }) }),
    );
    const call = caller().call("DeleteMessageBatch", "http://unused/1/q", {});
    const error = (await call.catch((thrown: unknown) => thrown)) as Error;
    expect([error.name.length, error.message.length]).toEqual([100, 500]);
  });

  test("an error that a repetition cannot help is not repeated", async () => {
    receiver = await startReceiver();
    receiver.behave(answer(403, { body: '{"__type":"x#AccessDeniedException","message":"no"}' }));
    const call = caller().call("DeleteMessageBatch", "http://unused/1/q", {});
    await expect(call).rejects.toMatchObject({ name: "AccessDeniedException", message: "no" });
    expect(receiver.count).toBe(1);
  });
});

describe("addresses", () => {
  test("URLs tell name and region, ARNs of any partition name and owner", () => {
    expect(parseAddress("https://sqs.eu-central-1.amazonaws.com/1234/my.fifo")).toEqual({
      kind: "url",
      url: "https://sqs.eu-central-1.amazonaws.com/1234/my.fifo",
      name: "my.fifo",
      region: "eu-central-1",
    });
    expect(parseAddress("https://sqs.cn-north-1.amazonaws.com.cn/1/q")).toMatchObject({
      region: "cn-north-1",
    });
    expect(parseAddress("http://localhost:4566/0/q")).toMatchObject({ name: "q", region: null });
    for (const partition of ["aws", "aws-cn", "aws-us-gov"]) {
      expect(parseAddress(`arn:${partition}:sqs:us-east-1:123456789012:q.fifo`)).toEqual({
        kind: "name",
        name: "q.fifo",
        owner: "123456789012",
        region: "us-east-1",
      });
    }
    for (const text of ["", "a b", "arn:aws:sns:us-east-1:123456789012:q", "https://host/", "x".repeat(81)]) {
      expect(parseAddress(text)).toBeNull();
    }
  });

  test("the dead letter queue stands beside its queue", () => {
    expect([deadName("a"), deadName("a.fifo")]).toEqual(["a-dead", "a-dead.fifo"]);
    expect(siblingUrl("https://h/1/a", "a-dead")).toBe("https://h/1/a-dead");
  });
});

describe("bodies", () => {
  test("what SQS cannot hold is encoded, everything else stays readable", () => {
    expect(encodeBody('{"é":1}')).toEqual({ text: '{"é":1}', encoding: null });
    for (const body of ["", "\u0000", "a\uffff", "\ud800", "\b", new Uint8Array(), Uint8Array.of(255, 0)]) {
      const { text, encoding } = encodeBody(body);
      expect([text, encoding]).not.toContain(null);
      const back = decodeBody(text, encoding);
      // A lone surrogate has no UTF-8; its bytes in UTF-8 are those of the replacement character.
      const expected = typeof body === "string" ? Buffer.from(body) : Buffer.from(body);
      expect(Buffer.from(back).equals(expected)).toBe(true);
    }
  });

  test("a packed body comes back, and foreign text under our name stays as it is", () => {
    const { text, encoding } = packBody('{"é":1}');
    expect(decodeBody(text, encoding)).toBe('{"é":1}');
    expect(decodeBody("no gzip", "gzip")).toBe("no gzip");
  });

  test("of a foreign attribute named hookline nothing is believed", () => {
    for (const text of [undefined, "", "[]", "null", '{"id":5}', '{"id":"a b"}', '{"encoding":"rot13"}']) {
      expect(decodeMeta(text)).toEqual({ id: null, encoding: null, dead: null });
    }
  });
});

describe("ids", () => {
  test("templates, own groups and their limits", () => {
    const routing = { appId: "a", channel: "c", event: "e" };
    expect(groupId("{app_id}_{channel}_{queue}_{event}", "q", { group: null, routing })).toBe("a_c_q_e");
    expect(groupId("{app_id}", "q", { group: "own", routing })).toBe("own");
    expect(groupId("{app_id}-{group}", "q", { group: "own", routing })).toBe("a-own");
    expect(groupId("{channel}", "q", { group: null, routing: null })).toBe("default");
    expect(safeId("x".repeat(128))).toBe("x".repeat(128));
    expect(safeId("white space")).toMatch(/^[0-9a-f]{32}$/);
  });
});

describe("client options", () => {
  test("names of SDK v2 become those of v3", () => {
    const { config, requestTimeoutMs, issues } = mapClientOptions({
      accessKeyId: "a",
      secretAccessKey: "b",
      sessionToken: "c",
      maxRetries: 0,
      sslEnabled: false,
      apiVersion: "2012-11-05",
      httpOptions: { timeout: 1500 },
    });
    expect(issues).toEqual([]);
    expect(requestTimeoutMs).toBe(1500);
    expect(config).toEqual({
      credentials: { accessKeyId: "a", secretAccessKey: "b", sessionToken: "c" },
      maxAttempts: 1,
      tls: false,
    });
  });
});

describe("what is held", () => {
  const message = (id: string, group: string): HeldMessage => ({
    id,
    handle: id,
    jobId: id,
    body: "",
    group,
    receiveCount: 1,
    sentAt: null,
    enqueuedAt: null,
    firstReceivedAt: null,
    attributes: {},
    receivedAt: 0,
    hiddenUntil: 1_000,
  });
  const none = new Set<string>();

  test("a message received again voids what its line held", () => {
    const lines = createMessageLines({ fifo: true, rate: unlimitedRate });
    lines.add([message("1", "g"), message("2", "g")], 0);
    const [line] = lines.offer(10, 0, none, 10);
    lines.grant(line!, "token", "q", 1_000, 0);
    const dropped = lines.add([message("1", "g"), message("2", "g")], 500);
    expect(dropped.map(({ was }) => was)).toEqual(["leased"]);
    expect(lines.leased("token", 500)).toBeNull();
    expect(lines.offer(10, 500, none, 10).map(({ messages }) => messages.length)).toEqual([2]);
  });

  test("successors that come while the head's delete is on its way wait for it", () => {
    const lines = createMessageLines({ fifo: true, rate: unlimitedRate });
    lines.add([message("1", "g")], 0);
    const [line] = lines.offer(10, 0, none, 10);
    lines.grant(line!, "token", "q", 1_000, 0);
    lines.settling(line!, 10);
    expect(lines.add([message("2", "g")], 20)).toEqual([]);
    expect(lines.offer(10, 20, none, 10)).toEqual([]);
    lines.next(line!, 30);
    expect(lines.offer(10, 30, none, 10)[0]?.messages[0]?.id).toBe("2");
  });

  test("a group's rate spaces its starts evenly, without a burst after a pause", () => {
    const rate = createGroupRate(10);
    rate.started("g", 0);
    expect(rate.earliest("g")).toBe(100);
    rate.started("g", 5_000);
    expect([rate.earliest("g"), rate.earliest("other")]).toEqual([5_100, 0]);
  });

  test("the memory of attempts is bounded, the oldest untouched goes first", () => {
    const memory = createAttemptMemory(2);
    memory.remember("a", { attempts: 1 });
    memory.remember("b", { attempts: 1 });
    memory.remember("a", { attempts: 2 });
    memory.remember("c", { attempts: 1 });
    expect(["a", "b", "c"].map((id) => memory.recall(id).attempts)).toEqual([2, 0, 1]);
  });
});

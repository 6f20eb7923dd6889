import { describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import Pusher from "pusher";
import { compileRawRoutes } from "../../src/delivery/raw-routes.ts";
import { route } from "../../src/delivery/router.ts";
import type { RawRoutes, Routing } from "../../src/delivery/router.ts";
import { signPusher } from "../../src/delivery/sign.ts";
import { decodeJob, rawJob } from "../../src/jobs/decode.ts";
import type { JobBody, PusherJob, RawJob } from "../../src/jobs/job.ts";
import { encodeNative } from "../../src/jobs/native.ts";
import soketiMessages from "../fixtures/soketi-1.6.1-sqs-fifo.json";
import { createOddJson, createRandom } from "../jobs/odd-json.ts";
import { compile } from "./compile.ts";

const directory = compile({
  apps: [
    {
      id: "app-1",
      key: "app-key",
      secret: "app-secret",
      previous_secrets: ["old-secret"],
      webhooks: [
        { name: "all", url: "http://127.0.0.1/all", event_types: ["*"] },
        { name: "occupied", url: "http://127.0.0.1/o", event_types: ["channel_occupied"] },
        {
          name: "private",
          url: "http://127.0.0.1/p",
          event_types: ["channel_occupied", "channel_vacated"],
          filter: { channel_prefix: "private-" },
        },
        { name: "orders", url: "http://127.0.0.1/or", event_types: ["order.*"] },
      ],
    },
    {
      id: "signed",
      key: "signed-key",
      secret: "s",
      accept: ["soketi"],
      webhooks: [{ name: "hook", url: "http://127.0.0.1/", event_types: ["*"] }],
    },
    { id: "none", key: "none-key", secret: "s", webhooks: [] },
  ],
  endpoints: { crm: { url: "http://127.0.0.1/crm" }, mail: { url: "http://127.0.0.1/mail" } },
});

function routeBody(body: JobBody, rawRoutes: RawRoutes | null = null): Routing {
  const job = decodeJob(body, { format: rawRoutes === null ? "auto" : "raw", now: 0 });
  if (job.kind === "malformed") throw new Error(job.detail);
  return route(job, directory, rawRoutes);
}

/** What each endpoint gets, by name. */
function contents(routing: Routing): Record<string, JobBody> {
  if (routing.kind !== "deliver") throw new Error(JSON.stringify(routing));
  return Object.fromEntries(routing.deliveries.map(({ endpoint, content }) => [endpoint.name, content]));
}

function reasonOf(routing: Routing): string {
  return routing.kind === "dead" ? routing.reason : routing.kind;
}

function sockudo(payload: string, app = "app-1"): string {
  return `{"app_id":"${app}","payload":${payload}}`;
}

describe("a Pusher job", () => {
  const occupied = '{"name":"channel_occupied", "channel":"private-a","n":1.0}';
  const open = '{"n":12345678901234567890,"name":"channel_occupied","channel":"open"}';
  const vacated = '{"channel":"private-b","name":"channel_vacated","\\u0061":"\\/"}';
  const other = '{"name":"cache_miss","channel":"private-c"}';

  test("reaches each endpoint with the events it wants, each with its bytes", () => {
    const payload = `{ "time_ms" : 1.50e3, "x":1, "events": [${occupied} ,\n${open},${vacated} , ${other}] }`;
    expect(contents(routeBody(sockudo(payload)))).toEqual({
      all: payload,
      occupied: `{"time_ms":1.50e3,"events":[${occupied},${open}]}`,
      private: `{"time_ms":1.50e3,"events":[${occupied},${vacated}]}`,
    });
  });

  test("that passes unfiltered is its payload's exact text", () => {
    const payload = `{"events":[${occupied}],"time_ms":1e400,"extra":[1.0]}`;
    expect(contents(routeBody(sockudo(payload)))).toEqual({
      all: payload,
      occupied: payload,
      private: payload,
    });
  });

  test("with two lists of events is filtered by the last, as JSON.parse reads it", () => {
    const payload = `{"time_ms":1,"events":[${occupied}],"events":[${open},${other}],"time_ms":2.0}`;
    expect(contents(routeBody(sockudo(payload)))).toEqual({
      all: payload,
      occupied: `{"time_ms":2.0,"events":[${open}]}`,
    });
  });

  test("that nobody wants is nothing to do", () => {
    expect(routeBody(sockudo('{"time_ms":1,"events":[]}'))).toEqual({ kind: "nothing" });
    expect(routeBody(sockudo(`{"time_ms":1,"events":[${occupied}]}`, "none"))).toEqual({ kind: "nothing" });
  });

  test("an event without a channel passes no channel filter", () => {
    const payload = '{"time_ms":1,"events":[{"name":"channel_occupied"}]}';
    expect(Object.keys(contents(routeBody(sockudo(payload))))).toEqual(["all", "occupied"]);
  });

  test("is found by key where it has no id", () => {
    const routing = routeBody(`{"app_key":"app-key","payload":{"time_ms":1,"events":[${other}]}}`);
    expect(routing.kind === "deliver" && routing.app?.id).toBe("app-1");
  });

  test("of an unknown app is dead", () => {
    expect(reasonOf(routeBody(sockudo('{"time_ms":1,"events":[]}', "nobody")))).toBe("unknown_app");
  });

  test("in a form the app does not take is dead", () => {
    expect(reasonOf(routeBody(sockudo('{"time_ms":1,"events":[]}', "signed")))).toBe("format_not_accepted");
  });
});

describe("a Soketi job", () => {
  const payload = '{"time_ms":1,"events":[{"name":"a","channel":"c"}]}';
  const signed = (secret: string, app = "app-1", of = payload): string => {
    const signature = createHmac("sha256", secret).update(of).digest("hex");
    return `{"appKey":"k","appId":"${app}","payload":${payload},"originalPusherSignature":"${signature}"}`;
  };

  test.each([
    [signed("app-secret"), "deliver"],
    [signed("old-secret"), "deliver"],
    [signed("wrong"), "bad_signature"],
    [signed("app-secret", "app-1", `${payload} `), "bad_signature"],
    [signed("app-secret", "nobody"), "unknown_app"],
  ])("%# ends as %p", (body, expected) => expect(reasonOf(routeBody(body))).toBe(expected));

  test("that is kept is checked again, and cannot be forged as an envelope", () => {
    const job = decodeJob(signed("s", "signed"), { format: "auto" }) as PusherJob;
    const binding = { id: "j", endpoint: "hook", deliveryId: "j_00000000" };
    expect(reasonOf(routeBody(encodeNative(job, binding)))).toBe("deliver");
    expect(reasonOf(routeBody(encodeNative({ ...job, signature: "00" }, binding)))).toBe("bad_signature");
    const unsigned = { ...job, source: "native" as const, signature: null };
    expect(reasonOf(routeBody(encodeNative(unsigned, binding)))).toBe("format_not_accepted");
  });

  test.each(soketiMessages.map(({ body }, at) => [at, body] as const))(
    "captured message %i yields its payload's bytes, which npm's pusher accepts",
    (_, body) => {
      const pusher = new Pusher({ appId: "app-1", key: "app-key", secret: "app-secret", cluster: "none" });
      const { all: rawBody } = contents(routeBody(body));
      if (typeof rawBody !== "string") throw new Error("the endpoint `all` got nothing");
      expect(body).toContain(`"payload":${rawBody},"originalPusherSignature"`);
      const headers = {
        "x-pusher-key": "app-key",
        "x-pusher-signature": signPusher("app-secret", rawBody),
        "content-type": "application/json",
      };
      expect(pusher.webhook({ headers, rawBody }).isValid()).toBe(true);
    },
  );
});

describe("a bound job", () => {
  const payload = '{"time_ms":1,"events":[{"name":"channel_occupied","channel":"c"},{"name":"b"}]}';
  const bound = (endpoint: string): string =>
    `{"hookline":1,"id":"j","kind":"pusher","app_id":"app-1","endpoint":"${endpoint}","payload":${payload}}`;

  test("goes to its endpoint alone, filtered again", () => {
    expect(contents(routeBody(bound("occupied")))).toEqual({
      occupied: '{"time_ms":1,"events":[{"name":"channel_occupied","channel":"c"}]}',
    });
  });

  // Finding: after event_types had changed, a redriven job was acked without a word (faults.md A10).
  test("is dead when its endpoint wants none of its events, never acked", () => {
    expect(routeBody(bound("private"))).toMatchObject({
      kind: "dead",
      reason: "not_wanted",
      endpoint: "app-1/private",
    });
    const generic = (endpoint: string): string =>
      `{"hookline":1,"id":"j","kind":"generic","app_id":"app-1","endpoint":"${endpoint}","type":"a.b","timestamp":"2026-01-01T00:00:00Z","data":1}`;
    expect(reasonOf(routeBody(generic("all")))).toBe("deliver");
    expect(reasonOf(routeBody(generic("orders")))).toBe("not_wanted");
    expect(reasonOf(routeBody(bound("private").replace(payload, '{"time_ms":1,"events":[]}')))).toBe(
      "not_wanted",
    );
  });

  test("that says its events gets those, whatever the filter has become", () => {
    const events = [
      '{"name":"channel_occupied","channel":"private-a"}',
      '{"name":"b"}',
      '{"name":"c", "n":1.0}',
    ];
    const whole = `{"time_ms":1.0, "events":[${events.join(" , ")}]}`;
    const told = (endpoint: string, places: string): string =>
      `{"hookline":1,"id":"j","kind":"pusher","app_id":"app-1","endpoint":"${endpoint}","delivery_id":"d","bound_events":${places},"payload":${whole}}`;
    // `occupied` wants one of the two today.
    expect(contents(routeBody(told("occupied", "[0,2]")))).toEqual({
      occupied: `{"time_ms":1.0,"events":[${events[0]},${events[2]}]}`,
    });
    expect(contents(routeBody(told("occupied", '"all"')))).toEqual({ occupied: whole });
    // `all` would take the others as well: it gets what it was promised.
    expect(contents(routeBody(told("all", "[1]")))).toEqual({
      all: `{"time_ms":1.0,"events":[${events[1]}]}`,
    });
    expect(reasonOf(routeBody(told("occupied", "[1,2]")))).toBe("not_wanted");
    expect(reasonOf(routeBody(told("orders", '"all"')))).toBe("not_wanted");
  });

  test("whose endpoint is gone is dead", () => {
    expect(reasonOf(routeBody(bound("gone")))).toBe("unknown_endpoint");
    expect(reasonOf(routeBody(bound("crm")))).toBe("unknown_endpoint");
  });
});

describe("a job that somebody sent to another endpoint", () => {
  const payload = '{"time_ms":1,"events":[{"name":"channel_occupied","channel":"c"},{"name":"b"}]}';
  const sent = (to: string, more = '"bound_events":[1]'): string =>
    `{"hookline":1,"id":"j","kind":"pusher","app_id":"app-1","endpoint":"${to}","delivery_id":"j_0a1b2c3d","redirected":true,${more},"payload":${payload}}`;

  test("is delivered as it was bound, whatever that one's filters are", () => {
    const cut = '{"time_ms":1,"events":[{"name":"b"}]}';
    expect(contents(routeBody(sent("private")))).toEqual({ private: cut });
    expect(contents(routeBody(sent("-/crm")))).toEqual({ crm: cut });
    expect(contents(routeBody(sent("private", '"bound_events":"all"')))).toEqual({ private: payload });
    const generic =
      '{"hookline":1,"id":"j","kind":"generic","app_id":"app-1","endpoint":"orders","delivery_id":"j_0a1b2c3d","redirected":true,"type":"t","timestamp":"2026-12-01T00:00:00Z","data":1}';
    expect(Object.keys(contents(routeBody(generic)))).toEqual(["orders"]);
  });

  test("is dead where that one is gone, and still where its signature is wrong", () => {
    expect(routeBody(sent("nobody"))).toMatchObject({ reason: "endpoint_removed", endpoint: "app-1/nobody" });
    expect(routeBody(sent("-/nobody"))).toMatchObject({ reason: "endpoint_removed", endpoint: "nobody" });
    const signed = (app: string): string =>
      sent("-/crm", `"source":"soketi","signature":"00"`).replace("app-1", app);
    expect(reasonOf(routeBody(signed("app-1")))).toBe("bad_signature");
    expect(reasonOf(routeBody(signed("nobody")))).toBe("unknown_app");
  });

  test("of a raw queue reaches what the queue leads to alone", () => {
    const raw = (to: string): string =>
      `{"hookline":1,"id":"j","kind":"raw","endpoint":"-/${to}","delivery_id":"j_0a1b2c3d","redirected":true,"content":"x"}`;
    const routes: RawRoutes = { endpoints: new Set(["crm"]), pick: () => null };
    expect(contents(routeBody(raw("crm"), routes))).toEqual({ crm: "x" });
    expect(reasonOf(routeBody(raw("mail"), routes))).toBe("no_route");
  });
});

describe("a generic job", () => {
  test("goes to its named endpoint as {type, timestamp, data}", () => {
    expect(contents(routeBody('{"type":"a\\"b","data": {"n":1.0},"endpoint":"crm"}'))).toEqual({
      crm: '{"type":"a\\"b","timestamp":"1970-01-01T00:00:00.000Z","data":{"n":1.0}}',
    });
  });

  test("goes to an app's webhooks that want its type", () => {
    const body = (type: string): string => `{"type":"${type}","data":1,"app_id":"app-1"}`;
    expect(Object.keys(contents(routeBody(body("order.created"))))).toEqual(["all", "orders"]);
    expect(Object.keys(contents(routeBody(body("channel_occupied"))))).toEqual(["all", "occupied"]);
    expect(routeBody('{"type":"t","data":1,"app_id":"none"}')).toEqual({ kind: "nothing" });
  });

  test.each([
    ['{"type":"t","data":1,"endpoint":"nowhere"}', "unknown_endpoint"],
    ['{"type":"t","data":1,"endpoint":"all"}', "unknown_endpoint"],
    ['{"type":"t","data":1,"app_id":"nobody"}', "unknown_app"],
    ['{"type":"t","data":1,"app_id":"app-key"}', "unknown_app"],
    ['{"type":"t","data":1,"app_id":"signed"}', "format_not_accepted"],
  ])("%s is dead: %s", (body, reason) => expect(reasonOf(routeBody(body))).toBe(reason));
});

describe("a raw job", () => {
  const routes = compileRawRoutes({
    endpoint: null,
    routes: [
      { match: { attribute: "shoryuken_class", equals: "MailWorker" }, endpoint: "mail" },
      { match: { attribute: "shoryuken_class", prefix: "Crm::" }, endpoint: "crm" },
      { match: { body: "job_class", equals: "MailJob" }, endpoint: "mail" },
      { match: { body: "items.1.kind", prefix: "crm" }, endpoint: "crm" },
      { match: { body: "version", equals: "2" }, endpoint: "crm" },
      { match: { body: "gone", equals: "x" }, endpoint: "gone" },
    ],
  });
  const withClass = (name: string): RawJob => ({ ...rawJob("{}"), attributes: { shoryuken_class: name } });
  const pick = (content: JobBody): string | null => routes.pick(rawJob(content));

  test.each([
    ["MailWorker", "mail"],
    ["Crm::Sync", "crm"],
    ["MailWorker2", null],
    ["", null],
  ])("with the attribute %j goes to %p", (name, endpoint) =>
    expect(routes.pick(withClass(name))).toBe(endpoint),
  );

  test.each([
    ['{"job_class":"MailJob"}', "mail"],
    ['{"job_class":["MailJob"]}', null],
    ['{"items":[{"kind":"a"},{"kind":"crm-x"}]}', "crm"],
    ['{"items":[{"kind":"crm-x"}]}', null],
    ['{"items":{"1":{"kind":"crm"}}}', "crm"],
    ['{"version":2}', "crm"],
    ['{"version":null}', null],
    ['"MailJob"', null],
    ["not JSON", null],
    ["", null],
  ])("with the body %s goes to %p", (content, endpoint) => expect(pick(content)).toBe(endpoint));

  test("that is not UTF-8 has no body to look into", () => expect(pick(new Uint8Array([0xff]))).toBeNull());

  test("never matches what every object has", () => {
    const inherited = compileRawRoutes({
      endpoint: null,
      routes: [
        { match: { body: "constructor.name", prefix: "" }, endpoint: "crm" },
        { match: { body: "length", prefix: "" }, endpoint: "crm" },
        { match: { attribute: "constructor", prefix: "" }, endpoint: "crm" },
      ],
    });
    expect([
      inherited.pick(rawJob("{}")),
      inherited.pick(rawJob("[1]")),
      inherited.pick(rawJob('"a"')),
    ]).toEqual([null, null, null]);
  });

  test("is delivered verbatim, bytes too", () => {
    const toCrm = compileRawRoutes({ endpoint: "crm", routes: [] });
    for (const body of [" {not json ", "", new Uint8Array([0xff, 0])]) {
      expect(contents(routeBody(body, toCrm))).toEqual({ crm: body });
    }
  });

  test("that no route takes is dead, and so is one whose endpoint is not there", () => {
    expect(reasonOf(routeBody("{}", routes))).toBe("no_route");
    expect(reasonOf(routeBody('{"gone":"x"}', routes))).toBe("unknown_endpoint");
  });

  test("that looks like an envelope reaches only its queue's endpoints", () => {
    const toCrm = compileRawRoutes({ endpoint: "crm", routes: [] });
    const envelope = (endpoint: string): string =>
      `{"hookline":1,"id":"j","kind":"raw","endpoint":"${endpoint}","content":"x"}`;
    expect(contents(routeBody(envelope("crm"), toCrm))).toEqual({ crm: "x" });
    expect(reasonOf(routeBody(envelope("mail"), toCrm))).toBe("unknown_endpoint");
  });
});

test("5,000 odd payloads arrive whole as they stood, or filtered with each event's bytes", () => {
  const json = createOddJson(createRandom(42));
  let filtered = 0;
  for (let round = 0; round < 5000; round += 1) {
    const { space } = json;
    const events = Array.from({ length: 1 + (round % 4) }, () => {
      const name = json.pick(['"channel_occupied"', '"channel_\\u006fccupied"', '"other"']);
      return `{${space()}"x"${space()}:${json.value(2)},"name":${name}${space()},"channel":${json.string()}}`;
    });
    const timeMs = json.pick(["1.0", "12345678901234567890", "1e3"]);
    const list = `[${events.map((event) => space() + event + space()).join(",")}]`;
    const payload = `{"events":${list},${space()}"time_ms"${space()}:${space()}${timeMs}${space()}}`;
    const got = contents(
      routeBody(`{"app_id":"app-1","y":${json.value(2)},"payload":${space()}${payload}${space()}}`),
    );
    const wanted = events.filter((event) => !event.includes('"other"'));
    if (got["all"] !== payload) throw new Error(payload);
    if (wanted.length === events.length) expect(got["occupied"]).toBe(payload);
    else if (wanted.length === 0) expect(got["occupied"]).toBeUndefined();
    else {
      filtered += 1;
      expect(got["occupied"]).toBe(`{"time_ms":${timeMs},"events":[${wanted.join(",")}]}`);
    }
  }
  expect(filtered).toBeGreaterThan(500);
});

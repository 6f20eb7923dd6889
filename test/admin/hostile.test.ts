import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { isNestedDeeper } from "../../src/admin/nesting.ts";
import { createTurnstile } from "../../src/admin/turnstile.ts";
import { sendRaw, statusOf } from "./raw-request.ts";
import { startAdmin, type Admin } from "./start-admin.ts";

/** What a client that means harm tried, and what came of it: each test cites the finding it keeps away. */

let admin: Admin;
beforeAll(async () => {
  admin = await startAdmin({
    config: {
      endpoints: { billing: { url: "http://127.0.0.1:1/" } },
      queue: { queues: ["webhooks", { name: "raw", format: "raw", endpoint: "billing" }] },
    },
  });
});
afterAll(() => admin.stop());

const jobs = "/v1/queues/webhooks/jobs";
const events = "/v1/apps/app-1/events";
const redrive = "/v1/queues/webhooks/dead/redrive";

/** Statuses of the answers to these bodies; none may be a 500. */
async function statuses(
  path: string,
  bodies: readonly (string | Uint8Array<ArrayBuffer>)[],
): Promise<Set<number>> {
  const seen = new Set<number>();
  for (const body of bodies) {
    const response = await admin.request(path, { method: "POST", body });
    const text = await response.text();
    expect({ body, is500: response.status === 500 }).toEqual({ body, is500: false });
    expect(() => JSON.parse(text) as unknown).not.toThrow();
    seen.add(response.status);
  }
  return seen;
}

function head(target: string, more = "", method = "GET"): string {
  return `${method} ${target} HTTP/1.1\r\nHost: localhost:${admin.port}\r\nConnection: close\r\n${more}\r\n`;
}

describe("paths", () => {
  // Finding: a pattern of any number of segments took 1.8 s for a path of 7,000 slashes, before any token was asked for.
  test("of thousands of segments cost nothing", async () => {
    const startedAt = performance.now();
    for (const target of [
      `/v1/workers/${"a/".repeat(7_000)}restart`,
      `/v1/workers/${"restart/".repeat(1_900)}crash`,
      `/v1/endpoints/${"a/".repeat(7_000)}pause`,
      "/".repeat(15_000),
      `/v1/queues/${"%41".repeat(5_000)}/dead`,
    ]) {
      for (const method of ["GET", "POST"]) {
        expect([404, 405]).toContain(statusOf(await sendRaw(admin.port, head(target, "", method))));
      }
    }
    // Five of them took nine seconds.
    expect(performance.now() - startedAt).toBeLessThan(8_000);
  });

  test("that name what every object has name nothing here", async () => {
    for (const name of ["__proto__", "constructor", "toString", "hasOwnProperty"]) {
      for (const path of [`/v1/queues/${name}`, `/v1/endpoints/-/${name}`, `/v1/endpoints/${name}/x`]) {
        expect((await admin.get(path)).status).toBe(404);
      }
      expect((await admin.post(`/v1/apps/${name}/events`, { events: [{ name }] })).status).toBe(404);
    }
  });
});

describe("HTTP", () => {
  // Finding: the connection was closed without a word.
  test("CONNECT is refused as a problem", async () => {
    const answer = await sendRaw(admin.port, head("example.com:443", "", "CONNECT"));
    expect(statusOf(answer)).toBe(400);
    expect(answer).toContain('"code":"bad_http"');
  });

  // Finding: `gzip, chunked` was read as if it were chunked alone.
  test("a Transfer-Encoding but chunked is refused, and no job is taken", async () => {
    const body = JSON.stringify({ type: "a", data: 1, endpoint: "billing" });
    for (const coding of ["gzip, chunked", "identity", "x", "chunked, chunked"]) {
      const fields = `Content-Type: application/json\r\nTransfer-Encoding: ${coding}\r\n`;
      const chunk = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
      expect(statusOf(await sendRaw(admin.port, head(jobs, fields, "POST") + chunk))).toBe(400);
    }
    expect((await admin.memory.stats("webhooks")).ready).toBe(0);
  });

  test("an upgrade is not made: the request is answered as it is", async () => {
    const upgrade =
      "Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZQ==\r\nSec-WebSocket-Version: 13\r\n";
    const fields = `Connection: Upgrade, close\r\n${upgrade}`;
    const target = `GET /health/live HTTP/1.1\r\nHost: localhost:${admin.port}\r\n${fields}\r\n`;
    expect(statusOf(await sendRaw(admin.port, target))).toBe(200);
  });

  // Finding: 200,000 chunks of one byte kept everybody else waiting for more than a second.
  test("a body of very many very small chunks is refused", async () => {
    const fields = "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n";
    const answer = await sendRaw(admin.port, head(jobs, fields, "POST") + "1\r\n \r\n".repeat(60_000));
    expect(statusOf(answer)).toBe(400);
    expect(answer).toContain("larger ones");
  });
});

describe("JSON", () => {
  const job = `{"id":"x","app_id":"app-1","delay_ms":5,"payload":{"time_ms":17,"events":[{"name":"channel_occupied","channel":"é","n":-1.5e3}]}}`;
  const texts = [
    [jobs, job],
    [events, '{"events":[{"name":"channel_occupied","channel":"é","d":{"a":[1,2]}}]}'],
    [redrive, '{"ids":["a","b"]}'],
  ] as const;

  for (const [path, text] of texts) {
    test(`broken at any place is refused at ${path}, never a 500`, async () => {
      const places = Array.from({ length: text.length }, (_, at) => at);
      await statuses(
        path,
        places.map((at) => text.slice(0, at)),
      );
      for (const character of ["\u0000", "{", "]", '"', "\\", ",", "9"]) {
        await statuses(
          path,
          places.map((at) => text.slice(0, at) + character + text.slice(at + 1)),
        );
      }
      const bytes = Buffer.from(text);
      const flipped = Array.from(bytes, (byte, at) => {
        const copy = new Uint8Array(bytes);
        copy[at] = byte ^ 0x80;
        return copy;
      });
      expect([...(await statuses(path, flipped))]).toEqual([400]);
    });
  }

  // Finding: a megabyte of brackets took 150 ms to be parsed, a hundred times what other text takes, and went on to the receiver.
  test("that is nested more than 1,000 levels deep is refused everywhere, with the reason", async () => {
    const deep = (levels: number): string => "[".repeat(levels) + "]".repeat(levels);
    for (const levels of [1_001, 100_000, 400_000]) {
      for (const [path, text] of [
        [jobs, `{"type":"a","endpoint":"billing","data":${deep(levels)}}`],
        ["/v1/queues/raw/jobs", deep(levels)],
        [events, `{"events":[{"name":"x","d":${deep(levels)}}]}`],
        [redrive, `{"ids":${deep(levels)}}`],
        [jobs, "[".repeat(levels)],
        [jobs, '{"a":'.repeat(Math.min(levels, 200_000))],
      ] as const) {
        const response = await admin.post(path, text);
        expect([path, levels, response.status]).toEqual([path, levels, 400]);
        expect(await response.text()).toContain("levels deep");
      }
    }
    expect([...(await statuses("/v1/queues/raw/jobs", [deep(1_000)]))]).toEqual([202]);
  });

  test("depth is measured outside of strings", () => {
    expect(isNestedDeeper(`["${"[".repeat(50)}\\"${"[".repeat(50)}"]`, 10)).toBe(false);
    expect(isNestedDeeper(`["\\\\",${"[".repeat(10)}`, 10)).toBe(true);
    expect(isNestedDeeper("[{".repeat(5), 10)).toBe(false);
    expect(isNestedDeeper("[]".repeat(1_000), 10)).toBe(false);
    expect(isNestedDeeper(`"${"[".repeat(1_000)}`, 10)).toBe(false);
  });

  test("numbers out of range are refused where they count, and kept where they are a payload's", async () => {
    const delayed = (text: string): string => `{"type":"a","data":1,"endpoint":"billing","delay_ms":${text}}`;
    const wrong = ["1e400", "-1", "1.5", "9007199254740993", '"5"', "[]", "true", "1e16"];
    expect([...(await statuses(jobs, wrong.map(delayed)))]).toEqual([422]);
    const limits = ["1e400", "-0", "0", "1.5", "-1", "null", '"1"'].map((text) => `{"max":${text}}`);
    expect([...(await statuses(redrive, limits))]).toEqual([422]);
    const kept = `{"type":"a","data":[1e400,-0,12345678901234567890],"endpoint":"billing"}`;
    expect([...(await statuses(jobs, [kept]))]).toEqual([202]);
  });

  test("names that every object has are names like any other", async () => {
    for (const name of ["__proto__", "constructor", "toString"]) {
      const refused = [
        `{"type":"a","data":1,"endpoint":"${name}"}`,
        `{"type":"a","data":1,"app_id":"${name}"}`,
        `{"app_id":"${name}","app_key":"${name}","payload":{"time_ms":1,"events":[]}}`,
        `{"${name}":{"app_id":"app-1","payload":{"time_ms":1,"events":[]}}}`,
      ];
      expect([...(await statuses(jobs, refused))]).toEqual([422]);
      expect([...(await statuses(events, [`{"events":[{"name":"${name}","${name}":1}]}`]))]).toEqual([202]);
      expect([...(await statuses(events, [`{"${name}":[],"events":[{"name":"x"}]}`]))]).toEqual([422]);
    }
  });

  // Finding: 32,000 bad jobs in 64 KB took half a second, most of it for errors that were all the same.
  test("thousands of bad jobs share their errors, and each is named", async () => {
    const response = await admin.post(jobs, `[${"1,".repeat(32_000)}1]`);
    const answer = (await response.json()) as { jobs: { status: string; error: { code: string } }[] };
    expect(answer.jobs).toHaveLength(32_001);
    expect(new Set(answer.jobs.map(({ status, error }) => `${status} ${error.code}`))).toEqual(
      new Set(["failed malformed"]),
    );
  });
});

describe("many at once", () => {
  test("heavy work is let through one piece a turn, in order", async () => {
    const turn = createTurnstile();
    const order: number[] = [];
    let turns = 0;
    const timer = setInterval(() => (turns += 1), 0);
    await Promise.all(
      Array.from({ length: 20 }, async (_, n) => {
        await turn();
        order.push(n);
        const end = performance.now() + 5;
        while (performance.now() < end);
      }),
    );
    clearInterval(timer);
    expect(order).toEqual(Array.from({ length: 20 }, (_, n) => n));
    expect(turns).toBeGreaterThan(5);
    await turn();
  });

  test("hundreds of connections that say nothing, or never finish, keep nobody waiting", async () => {
    const sockets = Array.from({ length: 500 }, (_, n) => {
      const socket = connect(admin.port, "127.0.0.1");
      socket.on("error", () => undefined);
      if (n % 3 === 0) socket.write("GET /heal");
      if (n % 3 === 1)
        socket.write(`${head(jobs, "Content-Type: application/json\r\nContent-Length: 99\r\n", "POST")}{`);
      return socket;
    });
    await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once("connect", resolve))));
    expect((await admin.get("/health/live")).status).toBe(200);
    expect((await admin.get("/v1/queues")).status).toBe(200);
    for (const socket of sockets) socket.destroy();
  });
});

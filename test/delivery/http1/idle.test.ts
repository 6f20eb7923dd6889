import { afterEach, beforeEach, describe, expect, jest, test } from "bun:test";
import { createHttp1Exchange } from "../../../src/delivery/http1/exchange.ts";
import {
  type Closable,
  createIdleConnections,
  type IdleConnections,
} from "../../../src/delivery/http1/idle.ts";
import { startBareServer } from "../../support/bare-server.ts";
import { answer, startReceiver } from "../../support/receiver.ts";
import { until } from "../../support/until.ts";
import { attempt, httpEndpoint, transportOver } from "../attempts.ts";

/** A connection to nowhere. */
function idleConnection(): Closable {
  let isOpen = true;
  return {
    get isOpen() {
      return isOpen;
    },
    close: () => {
      isOpen = false;
    },
  };
}

describe("idle connections", () => {
  let idle: IdleConnections<Closable>;
  beforeEach(() => {
    jest.useFakeTimers();
    idle = createIdleConnections(() => 4);
  });
  afterEach(() => {
    idle.close();
    expect(jest.getTimerCount()).toBe(0);
    jest.useRealTimers();
  });
  const kept = (seconds: number | null = null, key = "a"): Closable => {
    const connection = idleConnection();
    idle.keep(key, connection, seconds);
    return connection;
  };

  test("the last used one is taken first, each once", () => {
    const [first, second, third] = [kept(), kept(), kept()];
    expect(idle.take("a")).toBe(third);
    expect(idle.take("a")).toBe(second);
    idle.keep("a", third, null);
    expect(idle.take("a")).toBe(third);
    expect(idle.take("a")).toBe(first);
    expect(idle.take("a")).toBeNull();
  });

  test("nobody gets one that leads elsewhere", () => {
    const here = kept();
    expect(idle.take("b")).toBeNull();
    const there = kept(null, "b");
    expect([idle.take("a"), idle.take("b")]).toEqual([here, there]);
  });

  test("one that has been closed is passed over", () => {
    const [first, second] = [kept(), kept()];
    second.close();
    expect(idle.take("a")).toBe(first);
    expect(idle.take("a")).toBeNull();
  });

  // Seconds as the peer said them, and how long it is kept then: a second less, for the peer's clock.
  test.each([
    [null, 4_000],
    [2, 1_000],
    [5, 4_000],
    [60, 59_000],
    [301, 300_000],
    [999_999_999, 300_000],
  ])("where the peer says %p seconds it is used for %i ms", (seconds, ms) => {
    const used = kept(seconds);
    jest.advanceTimersByTime(ms - 1);
    expect(idle.take("a")).toBe(used);
    const late = kept(seconds);
    // The last sweep was a moment before its end, so that it is `take` that refuses it.
    jest.advanceTimersByTime(ms);
    expect(idle.take("a")).toBeNull();
    expect(late.isOpen).toBe(false);
  });

  test.each([0, 1])("where the peer says %p seconds it is not kept at all", (seconds) => {
    expect(kept(seconds).isOpen).toBe(false);
    expect(idle.take("a")).toBeNull();
    expect(jest.getTimerCount()).toBe(0);
  });

  test("an unused one is closed within a second of its time, and then no timer is left", () => {
    const [short, usual, long] = [kept(2), kept(), kept(10, "b")];
    const open = (): boolean[] => [short, usual, long].map(({ isOpen }) => isOpen);
    jest.advanceTimersByTime(900);
    expect(open()).toEqual([true, true, true]);
    jest.advanceTimersByTime(1_200);
    expect(open()).toEqual([false, true, true]);
    jest.advanceTimersByTime(3_000);
    expect(open()).toEqual([false, false, true]);
    jest.advanceTimersByTime(5_000);
    expect(open()).toEqual([false, false, false]);
    expect(jest.getTimerCount()).toBe(0);
  });

  test("one that is used again and again is not swept", () => {
    const connection = kept();
    for (let n = 0; n < 20; n++) {
      jest.advanceTimersByTime(3_000);
      expect(idle.take("a")).toBe(connection);
      idle.keep("a", connection, null);
    }
  });

  test("there are no more than the most, whomever they lead to: the one that has waited longest goes", () => {
    const [first, second, third, fourth] = [kept(60), kept(60), kept(60, "b"), kept(60, "c")];
    const open = (): boolean[] => [first, second, third, fourth].map(({ isOpen }) => isOpen);
    kept(60, "d");
    expect(open()).toEqual([false, true, true, true]);
    expect(idle.take("c")).toBe(fourth);
    // One was taken: there is room again.
    kept(60, "e");
    expect(open()).toEqual([false, true, true, true]);
    kept(60, "e");
    expect(open()).toEqual([false, false, true, true]);
    expect([idle.take("a"), idle.take("b")]).toEqual([null, third]);
  });

  test("what was swept or has been taken counts no longer", () => {
    for (let n = 0; n < 4; n++) kept(2, `${n}`);
    jest.advanceTimersByTime(2_100);
    const later = [kept(60), kept(60), kept(60)];
    for (let n = 0; n < 10; n++) {
      const used = kept(60);
      expect(idle.take("a")).toBe(used);
    }
    expect(later.map(({ isOpen }) => isOpen)).toEqual([true, true, true]);
  });

  test("closing closes all of them, and their timer", () => {
    const all = [kept(), kept(60), kept(null, "b")];
    idle.close();
    expect(all.map(({ isOpen }) => isOpen)).toEqual([false, false, false]);
    expect(jest.getTimerCount()).toBe(0);
    expect(idle.take("a")).toBeNull();
  });
});

test("deliveries in turn to many receivers leave no more connections open than the most", async () => {
  const receivers = await Promise.all(Array.from({ length: 12 }, () => startReceiver()));
  const transport = transportOver(createHttp1Exchange(() => 5));
  for (const { url } of receivers) {
    expect(await attempt(transport, httpEndpoint(url))).toMatchObject({ kind: "delivered" });
  }
  const open = (): number => receivers.reduce((sum, { openConnections }) => sum + openConnections, 0);
  await until(() => open() <= 5, { what: "the oldest to be closed" });
  expect(receivers.slice(-5).map(({ openConnections }) => openConnections)).toEqual([1, 1, 1, 1, 1]);
  await transport.close();
  for (const receiver of receivers) await receiver.close();
});

describe("a connection that waits for its next attempt", () => {
  test("is not used again once the receiver has closed it", async () => {
    await using receiver = await startReceiver({ behaviour: answer(200, { after: "close" }) });
    const transport = transportOver(createHttp1Exchange());
    for (let n = 1; n <= 10; n++) {
      expect(await attempt(transport, httpEndpoint(receiver.url))).toMatchObject({ kind: "delivered" });
      await until(() => receiver.openConnections === 0, { what: "both sides to be closed" });
      expect(receiver.connections).toBe(n);
    }
    await transport.close();
  });

  test("is not used again once it has been reset", async () => {
    await using receiver = await startReceiver();
    await using resetting = await startBareServer({
      onData: (socket) =>
        socket.write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", () =>
          setTimeout(() => socket.resetAndDestroy(), 5),
        ),
    });
    const transport = transportOver(createHttp1Exchange());
    const endpoint = httpEndpoint(`http://127.0.0.1:${resetting.port}/`);
    expect(await attempt(transport, endpoint)).toMatchObject({ kind: "delivered" });
    await until(() => resetting.openConnections === 0, { what: "the reset" });
    // The reset was there before this attempt's answer.
    await attempt(transport, httpEndpoint(receiver.url));
    expect(await attempt(transport, endpoint)).toMatchObject({ kind: "delivered" });
    expect(resetting.connections).toBe(2);
    await transport.close();
  });

  test("is not used again once the receiver has said anything unasked", async () => {
    const full = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    await using server = await startBareServer({
      onData: (socket, _soFar, n) => {
        socket.write(full);
        // A second answer that nobody asked for, which must not become that of the next attempt.
        if (n === 1) setTimeout(() => socket.write("HTTP/1.1 500 x\r\ncontent-length: 0\r\n\r\n"), 5);
      },
    });
    const transport = transportOver(createHttp1Exchange());
    const endpoint = httpEndpoint(`http://127.0.0.1:${server.port}/`);
    expect(await attempt(transport, endpoint)).toMatchObject({ status: 200 });
    await until(() => server.openConnections === 0, { what: "the connection to be closed" });
    expect(await attempt(transport, endpoint)).toMatchObject({ status: 200 });
    expect(server.connections).toBe(2);
    await transport.close();
  });

  test("is closed with the transport, and one that comes back later is closed then", async () => {
    await using receiver = await startReceiver();
    const transport = transportOver(createHttp1Exchange());
    await attempt(transport, httpEndpoint(receiver.url));
    expect(receiver.openConnections).toBe(1);
    // It would be kept for a minute: what closes it is that there is nothing left to keep it for.
    receiver.behave(answer(200, { delayMs: 100, headers: { "keep-alive": "timeout=61" } }));
    const busy = attempt(transport, httpEndpoint(receiver.url));
    await receiver.waitForCount(2);
    await transport.close();
    expect(await busy).toMatchObject({ kind: "delivered" });
    await until(() => receiver.openConnections === 0, { what: "the connection to be closed" });
  });

  test("is not kept where the receiver keeps it for a second at most", async () => {
    await using receiver = await startReceiver({
      behaviour: answer(200, { headers: { "Keep-Alive": "timeout=1" } }),
    });
    const transport = transportOver(createHttp1Exchange());
    for (let n = 0; n < 3; n++) await attempt(transport, httpEndpoint(receiver.url));
    expect(receiver.connections).toBe(3);
    await until(() => receiver.openConnections === 0, { what: "the connections to be closed" });
    await transport.close();
  });
});

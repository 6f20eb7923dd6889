import { expect, test } from "bun:test";
import { withoutHosts } from "../../src/admin/without-hosts.ts";

test("hosts, addresses and URLs leave a text, and nothing else does", () => {
  for (const [text, shown] of [
    ["connect ECONNREFUSED 127.0.0.1:6379", "connect ECONNREFUSED (host)"],
    ["connect ECONNREFUSED ::1:6379", "connect ECONNREFUSED (host)"],
    ["connect ECONNREFUSED [2001:db8::7]:6379, retried", "connect ECONNREFUSED (host), retried"],
    ["getaddrinfo ENOTFOUND redis", "getaddrinfo ENOTFOUND (host)"],
    [
      "redis: not connected to redis-0.internal:6379: read ECONNRESET",
      "redis: not connected to (host): read ECONNRESET",
    ],
    ["redis: not connected to cache:6379", "redis: not connected to (host)"],
    ["no route to redis://u:***@r/0 now", "no route to (host) now"],
    ["sqs.eu-central-1.amazonaws.com does not answer", "(host) does not answer"],
    ["MOVED 3999 10.0.0.3:6381", "MOVED 3999 (host)"],
    ["redis: enqueueing: NOREPLICAS Not enough good replicas to write.", null],
    ["queue webhooks.fifo holds 100 jobs, its capacity: try again later", null],
    ["sqs:SendMessage on queue webhooks.fifo is denied: AccessDenied", null],
    ["no answer within 2000 ms", null],
  ] as const) {
    expect(withoutHosts(text)).toBe(shown ?? text);
  }
});

test("a long text without a host costs no more than its length", () => {
  const startedAt = performance.now();
  for (const piece of ["a", "a.", "1.", "1:", "a-", "[a", "http:"]) withoutHosts(piece.repeat(20_000));
  expect(performance.now() - startedAt).toBeLessThan(20_000);
});

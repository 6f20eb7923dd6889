import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../../src/clock.ts";
import { candidateNames, parseResolvConf } from "../../../src/delivery/dns/resolv-conf.ts";
import { createResolver, type Resolver, type ResolverOptions } from "../../../src/delivery/dns/resolver.ts";
import { type DnsAnswer, type DnsServer, startDnsServer } from "../../support/dns-server.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function server(
  choose: (name: string, type: "A" | "AAAA", n: number) => DnsAnswer,
): Promise<DnsServer> {
  const started = await startDnsServer(choose);
  cleanups.push(() => started.close());
  return started;
}

function resolver(options: Partial<ResolverOptions>): Resolver {
  const made = createResolver({ clock: systemClock, hostsPath: "/nonexistent", ...options });
  cleanups.push(() => made.close());
  return made;
}

function file(name: string, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), "hookline-dns-"));
  cleanups.push(() => rmSync(folder, { recursive: true }));
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

/** A clock that tests move by hand. */
function handClock() {
  let now = 0;
  return { now: () => now, monotonic: () => now, move: (ms: number) => (now += ms) };
}

test("addresses of both families come, IPv4 first", async () => {
  const { address } = await server(() => ({ addresses: ["2001:db8::1", "192.0.2.1", "192.0.2.2"] }));
  const answer = await resolver({ servers: [address] }).resolve("a.test");
  expect(answer).toEqual({ ok: true, addresses: ["192.0.2.1", "192.0.2.2", "2001:db8::1"] });
});

test("ten thousand answers are kept, and then the oldest goes", async () => {
  const names = resolver({});
  for (let n = 0; n < 10_000; n += 1) await names.resolve(`n${n}.localhost`);
  expect(names.known("n0.localhost")).not.toBeNull();
  await names.resolve("one-more.localhost");
  expect(names.known("n0.localhost")).toBeNull();
  expect(names.known("n1.localhost")).not.toBeNull();
  expect(names.known("one-more.localhost")).not.toBeNull();
});

test("a name with IPv6 only resolves", async () => {
  const { address } = await server(() => ({ addresses: ["2001:db8::1"] }));
  const answer = await resolver({ servers: [address] }).resolve("six.test");
  expect(answer).toEqual({ ok: true, addresses: ["2001:db8::1"] });
});

test("a server that is silent about IPv6 does not hold up IPv4", async () => {
  const { address } = await server((_name, type) =>
    type === "AAAA" ? "silence" : { addresses: ["192.0.2.1"] },
  );
  // Its own limit is half a minute: the answer does not wait for it.
  const started = performance.now();
  const answer = await resolver({ servers: [address], timeoutMs: 30_000 }).resolve("a.test");
  expect(answer).toEqual({ ok: true, addresses: ["192.0.2.1"] });
  expect(performance.now() - started).toBeLessThan(20_000);
});

test.each([
  ["nxdomain", "ENOTFOUND"],
  ["servfail", "ESERVFAIL"],
] as const)("%s is %s", async (behaviour, code) => {
  const { address } = await server(() => behaviour);
  expect(await resolver({ servers: [address] }).resolve("a.test")).toEqual({ ok: false, code });
});

test("a silent server ends in ETIMEOUT within the limit, and delays no other name", async () => {
  const { address } = await server((name) =>
    name.startsWith("silent") ? "silence" : { addresses: ["192.0.2.1"] },
  );
  const names = resolver({ servers: [address], timeoutMs: 1_500 });
  const silent = Array.from({ length: 40 }, (_, i) => names.resolve(`silent${i}.test`));
  const good = names.resolve("good.test");
  expect(await Promise.race([good, ...silent])).toMatchObject({ ok: true });
  for (const answer of await Promise.all(silent)) expect(answer).toEqual({ ok: false, code: "ETIMEOUT" });
});

test("concurrent questions share one lookup, and its answer is kept", async () => {
  const clock = handClock();
  // TTL 0: c-ares has a cache of its own, on the real clock.
  const dns = await server(() => ({ addresses: ["192.0.2.1"], ttl: 0 }));
  const names = resolver({ servers: [dns.address], clock });
  const asked = (): number => dns.questions.filter((question) => question.endsWith("/A")).length;
  const answers = await Promise.all(Array.from({ length: 20 }, () => names.resolve("a.test")));
  expect(asked()).toBe(1);
  expect(names.known("a.test")).toBe(answers[0] as never);
  clock.move(999);
  await names.resolve("a.test");
  expect(asked()).toBe(1);
  clock.move(1);
  await names.resolve("a.test");
  expect(asked()).toBe(2);
});

test.each([
  [0, 1000],
  [86_400, 300_000],
])("a TTL of %d s is kept for %d ms", async (ttl, keptMs) => {
  const clock = handClock();
  const { address } = await server(() => ({ addresses: ["192.0.2.1"], ttl }));
  const names = resolver({ servers: [address], clock });
  await names.resolve("a.test");
  clock.move(keptMs - 1);
  expect(names.known("a.test")).not.toBeNull();
  clock.move(1);
  expect(names.known("a.test")).toBeNull();
});

test("a failure is kept for one second only", async () => {
  const clock = handClock();
  const { address } = await server((_name, _type, n) => (n <= 2 ? "nxdomain" : { addresses: ["192.0.2.1"] }));
  const names = resolver({ servers: [address], clock });
  expect(await names.resolve("a.test")).toMatchObject({ ok: false });
  clock.move(999);
  expect(await names.resolve("a.test")).toMatchObject({ ok: false });
  clock.move(1);
  expect(await names.resolve("a.test")).toMatchObject({ ok: true });
});

test("the hosts file comes first, and its changes are seen", async () => {
  const clock = handClock();
  const dns = await server(() => "nxdomain");
  const hostsPath = file(
    "hosts",
    "192.0.2.7 one.test One-Alias # comment\n2001:db8::7\tone.test\nbad line\n",
  );
  const names = resolver({ servers: [dns.address], hostsPath, clock });
  expect(await names.resolve("one.test")).toEqual({ ok: true, addresses: ["192.0.2.7", "2001:db8::7"] });
  expect(await names.resolve("one-alias")).toEqual({ ok: true, addresses: ["192.0.2.7"] });
  expect(dns.questions).toHaveLength(0);
  writeFileSync(hostsPath, "192.0.2.99 one.test\n");
  clock.move(5000);
  expect(await names.resolve("one.test")).toEqual({ ok: true, addresses: ["192.0.2.99"] });
});

test("localhost needs no name server", async () => {
  const dns = await server(() => "nxdomain");
  const names = resolver({ servers: [dns.address] });
  expect(await names.resolve("localhost")).toEqual({ ok: true, addresses: ["127.0.0.1", "::1"] });
  expect(await names.resolve("app.localhost")).toMatchObject({ ok: true });
  expect(dns.questions).toHaveLength(0);
});

test("search domains are tried as resolv.conf says", () => {
  const conf = parseResolvConf(
    "nameserver 10.96.0.10\nnameserver fd00::a\nsearch shop.svc.cluster.local svc.cluster.local. cluster.local\noptions ndots:5 timeout:2\n",
  );
  expect(conf.servers).toEqual(["10.96.0.10", "fd00::a"]);
  expect(candidateNames("hooks", conf)).toEqual([
    "hooks.shop.svc.cluster.local",
    "hooks.svc.cluster.local",
    "hooks.cluster.local",
    "hooks",
  ]);
  expect(candidateNames("hooks.example.com", conf).at(-1)).toBe("hooks.example.com");
  expect(candidateNames("hooks.example.com.", conf)).toEqual(["hooks.example.com"]);
  expect(candidateNames("hooks.example.com", { ...conf, ndots: 1 })[0]).toBe("hooks.example.com");
});

test("a short name is found in the second search domain", async () => {
  const dns = await server((name) =>
    name === "hooks.svc.cluster.local" ? { addresses: ["192.0.2.9"] } : "nxdomain",
  );
  const resolvConfPath = file(
    "resolv.conf",
    `nameserver ${dns.address}\nsearch shop.svc.cluster.local svc.cluster.local\noptions ndots:5\n`,
  );
  const names = resolver({ resolvConfPath });
  expect(await names.resolve("hooks")).toEqual({ ok: true, addresses: ["192.0.2.9"] });
  expect(dns.questions[0]).toStartWith("hooks.shop.svc.cluster.local/");
});

test("a search domain that is refused does not hide the name itself", async () => {
  const dns = await server((name) => (name === "hooks.test" ? { addresses: ["192.0.2.9"] } : "servfail"));
  const resolvConfPath = file(
    "resolv.conf",
    `nameserver ${dns.address}\nsearch broken.local\noptions ndots:5\n`,
  );
  const names = resolver({ resolvConfPath });
  expect(await names.resolve("hooks.test")).toMatchObject({ ok: true });
  expect(await names.resolve("other.test")).toEqual({ ok: false, code: "ESERVFAIL" });
});

test.each([
  ["too long", `${"a".repeat(300)}.test`],
  ["an empty label", "a..test"],
  ["a label that is too long", `${"a".repeat(64)}.test`],
])("a name that cannot be asked for is a failure: %s", async (_what, name) => {
  const dns = await server(() => "nxdomain");
  expect(await resolver({ servers: [dns.address] }).resolve(name)).toMatchObject({ ok: false });
});

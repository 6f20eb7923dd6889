import { afterEach, describe, expect, test } from "bun:test";
import { systemClock } from "../../../src/clock.ts";
import { createDestination } from "../../../src/delivery/destination.ts";
import { createEgress, type EgressRules } from "../../../src/delivery/egress/rules.ts";
import { proxyTls } from "../../../src/delivery/http1/dial.ts";
import { createHttp1Exchange } from "../../../src/delivery/http1/exchange.ts";
import { createProxy } from "../../../src/delivery/proxy.ts";
import { createResolver } from "../../../src/delivery/dns/resolver.ts";
import { startDnsServer } from "../../support/dns-server.ts";
import { startReceiver } from "../../support/receiver.ts";
import { attempt, fixedResolver, httpEndpoint, transportOver } from "../attempts.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const open: EgressRules = { deny: [], allow: [], deny_private: false, ports: null };

/** The verdict on a URL's host as it is written, through the same parsing as a delivery's. */
function verdict(host: string, rules: Partial<EgressRules>): string | null {
  const { hostname, isAddress, port } = createDestination(new URL(`http://${host}/`), []);
  if (!isAddress) throw new Error(`${host} is no IP literal`);
  return createEgress({ ...open, ...rules }).check(hostname, hostname, port);
}

describe("denied whatever the configuration, unless allowed by name", () => {
  test.each([
    "169.254.169.254",
    "169.254.0.1",
    "169.254.170.2",
    "2852039166",
    "0xa9fea9fe",
    "0xA9.0xFE.0xA9.0xFE",
    "0251.0376.0251.0376",
    "169.254.43518",
    "169.16689662",
    "0xa9.254.0251.254",
    "１６９.254.169.254",
    "①⑥⑨.②⑤④.①⑥⑨.②⑤④",
    "169。254。169。254",
    "%31%36%39.254.169.254",
    "169.254.169.254.",
    "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "[0:0:0:0:0:FFFF:A9FE:A9FE]",
    "[::169.254.169.254]",
    "[::ffff:0:169.254.169.254]",
    "[64:ff9b::169.254.169.254]",
    "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b:1::a9fe:a9fe]",
    "[64:ff9b:1:a9fe:a9:fe00::]",
    "[2002:a9fe:a9fe::1]",
    "[2001:0:1:2:3:4:5601:5601]",
    "[2001:db8::5efe:169.254.169.254]",
    "[fe80::1]",
    "[febf:ffff::1]",
    "[fd00:ec2::254]",
    "[fd00:0ec2:0:0:0:0:0:254]",
    "[fd20:ce::254]",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
  ])("%s", (host) => {
    expect(verdict(host, {})).not.toBeNull();
    expect(verdict(host, { allow: ["0.0.0.0/0", "::/0"] })).toBeNull();
  });
});

describe("allowed by default: operators deliver to their own services", () => {
  test.each([
    "127.0.0.1",
    "127.1",
    "10.0.0.1",
    "192.168.1.1",
    "172.16.0.1",
    "100.64.0.1",
    "0.0.0.0",
    "[::1]",
    "[::]",
    "[fc00::1]",
    "[::ffff:127.0.0.1]",
    "169.253.255.255",
    "169.255.0.0",
    "[fec0::1]",
    "[fe7f::1]",
    "93.184.216.34",
    "[2606:2800:220:1::1]",
  ])("%s", (host) => {
    expect(verdict(host, {})).toBeNull();
  });
});

describe("denied by deny_private", () => {
  test.each([
    "127.0.0.1",
    "127.255.255.254",
    "127.1",
    "0x7f000001",
    "2130706433",
    "017700000001",
    "0",
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "100.64.0.1",
    "100.127.255.255",
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "[::]",
    "[::1]",
    "[0000:0000:0000:0000:0000:0000:0000:0001]",
    "[::ffff:10.0.0.1]",
    "[::ffff:7f00:1]",
    "[::10.0.0.1]",
    "[64:ff9b::8.8.8.8]",
    "[64:ff9b:1::1]",
    "[100::1]",
    "[2001::1]",
    "[2001:db8::1]",
    "[2002:808:808::1]",
    "[3fff::1]",
    "[5f00::1]",
    "[fc00::1]",
    "[fdff::1]",
    "[fec0::1]",
    "[ff02::1]",
    "[2606:4700::5efe:10.0.0.1]",
  ])("%s", (host) => {
    expect(verdict(host, { deny_private: true })).not.toBeNull();
  });

  test.each([
    "8.8.8.8",
    "172.15.255.255",
    "172.32.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "192.0.1.1",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "[2606:4700::1111]",
    "[2001:4860:4860::8888]",
    "[::ffff:8.8.8.8]",
  ])("%s is not", (host) => {
    expect(verdict(host, { deny_private: true })).toBeNull();
  });

  test("the way out of an IPv6-only network is opened by allowing its NAT64 prefix, for public targets only", () => {
    const rules = { deny_private: true, allow: ["64:ff9b::/96"] };
    expect(verdict("[64:ff9b::8.8.8.8]", rules)).toBeNull();
    expect(verdict("[64:ff9b::10.0.0.1]", rules)).not.toBeNull();
  });
});

describe("the operator's own rules", () => {
  test.each([
    ["10.1.2.3", { deny: ["10.0.0.0/8"] }, "deny 10.0.0.0/8 (10.1.2.3)"],
    ["11.1.2.3", { deny: ["10.0.0.0/8"] }, null],
    ["10.1.2.3", { deny: ["::ffff:10.0.0.0/104"] }, "deny ::ffff:10.0.0.0/104 (10.1.2.3)"],
    ["10.1.2.3", { deny: ["10.1.2.3"] }, "deny 10.1.2.3 (10.1.2.3)"],
    ["10.1.2.4", { deny: ["10.1.2.3"] }, null],
    ["8.8.8.8", { deny: ["0.0.0.0/0"] }, "deny 0.0.0.0/0 (8.8.8.8)"],
    ["[2606:4700::1]", { deny: ["0.0.0.0/0"] }, null],
    ["[2606:4700::1]", { deny: ["2606:4700::/32"] }, "deny 2606:4700::/32 (2606:4700::1)"],
    ["0.0.0.0", { deny: ["127.0.0.0/8"] }, "deny 127.0.0.0/8 (0.0.0.0)"],
    ["[::]", { deny: ["::1"] }, "deny ::1 (::)"],
    ["10.1.2.3", { deny: ["10.0.0.0/8"], allow: ["10.1.0.0/16"] }, null],
    ["[::ffff:10.1.2.3]", { deny: ["10.0.0.0/8"], allow: ["10.1.0.0/16"] }, null],
    ["10.2.2.3", { deny: ["10.0.0.0/8"], allow: ["10.1.0.0/16"] }, "deny 10.0.0.0/8 (10.2.2.3)"],
    ["10.1.2.3", { deny_private: true, allow: ["10.1.2.3"] }, null],
    ["8.8.8.8:8080", { ports: [80, 443] }, "port 8080"],
    ["8.8.8.8:80", { ports: [80, 443] }, null],
    ["8.8.8.8", { ports: [443] }, "port 80"],
  ] as [string, Partial<EgressRules>, string | null][])("%s with %j: %p", (host, rules, expected) => {
    expect(verdict(host, rules)).toBe(expected);
  });

  test.each([
    ["evil.example", "8.8.8.8", { deny: ["evil.example"] }, "deny evil.example"],
    ["evil.example.", "8.8.8.8", { deny: ["EVIL.example"] }, "deny EVIL.example"],
    ["a.evil.example", "8.8.8.8", { deny: ["evil.example"] }, null],
    ["a.b.evil.example", "8.8.8.8", { deny: ["*.evil.example"] }, "deny *.evil.example"],
    ["evil.example", "8.8.8.8", { deny: ["*.evil.example"] }, null],
    ["notevil.example", "8.8.8.8", { deny: ["*.evil.example"] }, null],
    ["hooks.internal", "10.0.0.1", { deny_private: true, allow: ["*.internal"] }, null],
    ["hooks.internal", "10.0.0.1", { deny: ["*.internal"], allow: ["hooks.internal"] }, null],
    ["hooks.internal", "10.0.0.1", { deny: ["*.internal"], allow: ["10.0.0.0/8"] }, null],
  ] as [string, string, Partial<EgressRules>, string | null][])(
    "%s at %s with %j: %p",
    (hostname, address, rules, expected) => {
      expect(createEgress({ ...open, ...rules }).check(hostname, address, 443)).toBe(expected);
    },
  );
});

describe("a host however it is spelled", () => {
  /** The rule that forbids the URL's host, through the same parsing as a delivery's. */
  const ruleFor = (url: string, rules: Partial<EgressRules>, address = "8.8.8.8"): string | null => {
    const { hostname, port } = createDestination(new URL(url), []);
    return createEgress({ ...open, ...rules }).check(hostname, address, port);
  };
  const spellings = [
    "http://evil.example/",
    "http://evil.example./",
    "http://evil.example../",
    "http://evil.example.....:8080/",
    "http://EVIL.Example../",
    "http://%65vil.example%2e%2E/",
    "http://evil。example。。/",
    "http://ｅｖｉｌ.example/",
    "http://user:pass@evil.example../",
  ];

  test.each(spellings)("%s is denied by every spelling of the rule", (url) => {
    for (const rule of ["evil.example", "evil.example.", "EVIL.example", "*.example", "*.Example."]) {
      expect(ruleFor(url, { deny: [rule] })).toBe(`deny ${rule}`);
      expect(ruleFor(url, { deny: ["8.8.8.8"], allow: [rule] })).toBeNull();
    }
    for (const rule of ["vil.example", "*.evil.example", "example"]) {
      expect(ruleFor(url, { deny: [rule] })).toBeNull();
    }
  });

  test("a name beyond ASCII is compared as it is asked for", () => {
    for (const url of [
      "http://bücher.example../",
      "http://BÜCHER.example/",
      "http://xn--bcher-kva.example./",
    ]) {
      for (const rule of ["xn--bcher-kva.example", "XN--BCHER-KVA.example", "bücher.example"]) {
        expect(ruleFor(url, { deny: [rule] })).toBe(`deny ${rule}`);
      }
    }
  });

  test.each(["127.0.0.1", "127.0.0.1.", "127.0.0.1..", "127.1", "0x7f.1", "2130706433"])(
    "an address written %s is one, in a URL and in a rule",
    (written) => {
      const { hostname, isAddress } = createDestination(new URL(`http://${written}/`), []);
      expect([hostname, isAddress]).toEqual(["127.0.0.1", true]);
      expect(ruleFor("http://name.test/", { deny: [written] }, "127.0.0.1")).toBe(
        `deny ${written} (127.0.0.1)`,
      );
      expect(ruleFor("http://name.test/", { deny_private: true, allow: [written] }, "127.0.0.1")).toBeNull();
    },
  );

  test("a rule with an IPv6 zone is the address's", () => {
    const rules = { deny: ["2606:4700::1%eth0"] };
    expect(ruleFor("http://name.test/", rules, "2606:4700::1")).toBe("deny 2606:4700::1%eth0 (2606:4700::1)");
    expect(URL.parse("http://[fe80::1%25eth0]/")).toBeNull();
  });

  test("dots at the end stand in no Host header, SNI or certificate but the one of an absolute name", () => {
    const seen = (url: string): unknown[] => {
      const { hostname, serverName, headers } = createDestination(new URL(url), []);
      return [hostname, serverName, headers[0]?.[1]];
    };
    expect(seen("https://a.test:8443/")).toEqual(["a.test", "a.test", "a.test:8443"]);
    expect(seen("https://a.test./")).toEqual(["a.test.", "a.test", "a.test."]);
    expect(seen("https://a.test...:8443/")).toEqual(["a.test.", "a.test", "a.test.:8443"]);
    expect(seen("https://[::1]:8443/")).toEqual(["::1", null, "[::1]:8443"]);
    expect(seen("https://127.0.0.1../")).toEqual(["127.0.0.1", null, "127.0.0.1"]);
    expect(createProxy(new URL("https://proxy.test...:3128"))).toMatchObject({ hostname: "proxy.test." });
    expect(proxyTls(createProxy(new URL("https://proxy.test..")))?.servername).toBe("proxy.test");
  });

  test("a proxy's name is held to the rules however it is spelled", async () => {
    const names = fixedResolver({ "target.test": ["127.0.0.1"], "evil.example.": ["127.0.0.1"] });
    const proxied = transportOver(createHttp1Exchange(), names, {
      rules: { deny: ["evil.example"] },
      proxy: "http://evil.example..:9",
    });
    expect(await attempt(proxied, httpEndpoint("http://target.test/"))).toMatchObject({
      kind: "connect",
      code: "proxy: deny evil.example",
    });
  });

  test("what has dots in a row, or nothing but dots, is no name", async () => {
    const dns = await startDnsServer(() => ({ addresses: ["127.0.0.1"] }));
    const resolver = createResolver({
      clock: systemClock,
      servers: [dns.address],
      hostsPath: "/nonexistent",
    });
    cleanups.push(
      () => dns.close(),
      () => resolver.close(),
    );
    for (const name of ["evil..example", ".evil.example", ".", ".."]) {
      expect(await resolver.resolve(name)).toEqual({ ok: false, code: "EBADNAME" });
    }
    expect(dns.questions).toEqual([]);
    expect(await resolver.resolve("localhost.")).toMatchObject({ ok: true });
    expect(await resolver.resolve("evil.example.")).toMatchObject({ ok: true });
    expect([...new Set(dns.questions)].sort()).toEqual(["evil.example/A", "evil.example/AAAA"]);
  });
});

describe("a delivery", () => {
  test("to a forbidden address is blocked, and nothing is connected to", async () => {
    const receiver = await startReceiver();
    cleanups.push(() => receiver.close());
    const transport = transportOver(createHttp1Exchange(), undefined, { rules: { deny: ["127.0.0.0/8"] } });
    for (const host of ["127.0.0.1", "0.0.0.0", "[::ffff:127.0.0.1]", "localhost", "2130706433"]) {
      const outcome = await attempt(transport, httpEndpoint(`http://${host}:${receiver.port}/`));
      expect(outcome.kind).toBe("blocked");
    }
    expect(receiver.connections).toBe(0);
  });

  test("to a name with a forbidden and an allowed address goes to the allowed one", async () => {
    const receiver = await startReceiver();
    cleanups.push(() => receiver.close());
    const transport = transportOver(
      createHttp1Exchange(),
      fixedResolver({ "two.test": ["127.0.0.2", "127.0.0.1"], "one.test": ["127.0.0.2"] }),
      { rules: { deny: ["127.0.0.2"] } },
    );
    const outcome = await attempt(transport, httpEndpoint(`http://two.test:${receiver.port}/`));
    expect(outcome.kind).toBe("delivered");
    expect(await attempt(transport, httpEndpoint(`http://one.test:${receiver.port}/`))).toMatchObject({
      kind: "blocked",
      code: "deny 127.0.0.2 (127.0.0.2)",
    });
  });

  test("to a name that changes its answer all the time never reaches the forbidden address", async () => {
    const allowed = await startReceiver();
    const forbidden = await startReceiver({ host: "127.0.0.2", port: allowed.port });
    let n = 0;
    const dns = await startDnsServer((_name, type) =>
      type === "AAAA" ? { addresses: [], ttl: 0 } : { addresses: [`127.0.0.${(n++ % 2) + 1}`], ttl: 0 },
    );
    let now = 0;
    const clock = { now: () => now, monotonic: () => now };
    const resolver = createResolver({ clock, servers: [dns.address], hostsPath: "/nonexistent" });
    cleanups.push(
      () => allowed.close(),
      () => forbidden.close(),
      () => dns.close(),
      () => resolver.close(),
    );
    const rules = { deny: ["127.0.0.2"] };
    const transport = transportOver(createHttp1Exchange(), resolver, { rules });
    const endpoint = httpEndpoint(`http://rebind.test:${allowed.port}/`);
    const seen = { delivered: 0, blocked: 0 };
    for (let i = 0; i < 20; i++) {
      const outcome = await attempt(transport, endpoint);
      expect(["delivered", "blocked"]).toContain(outcome.kind);
      seen[outcome.kind as "delivered" | "blocked"] += 1;
      // Longer than an answer is kept at least: the next attempt asks again.
      now += 1000;
    }
    expect(seen).toEqual({ delivered: 10, blocked: 10 });
    expect(allowed.count).toBe(10);
    expect(forbidden.connections).toBe(0);
  });
});

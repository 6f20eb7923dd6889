import { describe, expect, test } from "bun:test";
import { withoutHosts } from "../../src/admin/without-hosts.ts";
import { parseSavedHeaders } from "../../src/cli/saved-request.ts";
import { describeNetworkFault } from "../../src/cli/fault-text.ts";
import { maskAppSecrets } from "../../src/secrets/app-secret.ts";
import { unreadName } from "../../src/config/env-foreign.ts";
import { isServiceLink } from "../../src/config/env-names.ts";
import { unescapeJson } from "../../src/secrets/escapes.ts";
import { eventTypeProblem } from "../../src/config/event-type.ts";
import { headerNameProblem, headerValueProblem } from "../../src/config/headers.ts";
import { describeSyntaxError } from "../../src/config/json-excerpt.ts";
import { readJson } from "../../src/config/json-text.ts";
import { createMasker } from "../../src/secrets/masker.ts";
import { pemProblem } from "../../src/config/pem.ts";
import { configSchema } from "../../src/config/schema.ts";
import { nodeAt } from "../../src/config/schema-tree.ts";
import { redactUrl, urlSecrets } from "../../src/secrets/url.ts";
import { isShowable, quoteFileName, quoteSecretFileName } from "../../src/secrets/showable.ts";
import { networkProblem, proxyUrlProblem, receiverUrlProblem } from "../../src/config/urls.ts";
import { redisUrlProblem } from "../../src/queue/drivers/redis/url.ts";
import { queueAddressProblem } from "../../src/queue/drivers/sqs/section-settings.ts";
import { readText } from "../../src/config/value-text.ts";
import { compileChannelPattern } from "../../src/delivery/channel-pattern.ts";
import { parseNetwork } from "../../src/delivery/egress/ip-address.ts";
import { parseSigningKey } from "../../src/delivery/signing-keys.ts";
import { didYouMean } from "../../src/suggest.ts";
import { showInLine } from "../../src/terminal.ts";
import { issuesOf } from "./support.ts";

// Every check of a text takes time in proportion to it. A pattern that backtracks takes the square of it, or worse: ten
// seconds and more for what is fed here, where the check itself takes milliseconds.

const length = 100_000;
const limitMs = 2_000;

/** What makes patterns try again: runs of one sign, of two, and of what the checks look for; and an end that fits nothing. */
const pumps = [
  ...Array.from("0a_-%/:.*\\\"[{@= ,;#~^$+"),
  "0_", "-.", "a.", "0-", "a:", "a/", "\\\\u", "\\u0", "[!", "[^", "(?", "': ", ': "', "::1",
  "-----", "-----BEGIN 0-----", "-----BEGIN A-----\n", "-----END A-----", '"app_secret"', '\\"app_secret\\":',
  "http://", "http://a:", "a@", "arn:aws:sqs:", "whsec_", "x-y: ", "\n ", "\t ", "/*", "{\"a\":", "[1,",
]; // prettier-ignore

function* hostileTexts(): Generator<string> {
  for (const pump of pumps) {
    const run = pump.repeat(Math.ceil(length / pump.length));
    yield `${run}\u0000\n!`;
    yield `http://${run}`;
  }
}

const mask = createMasker(["short", "hunter22-hunter22", { before: "/hook", secret: "/token" }, "ab"]);
const numberNode = nodeAt(configSchema, ["webhooks", "retry", "jitter"])!;
const listNode = nodeAt(configSchema, ["egress", "deny"])!;

const checks: Readonly<Record<string, (text: string) => unknown>> = {
  networkProblem,
  proxyUrlProblem,
  queueAddressProblem,
  receiverUrlProblem,
  redisUrlProblem,
  eventTypeProblem,
  headerNameProblem,
  headerValueProblem,
  isShowable,
  quoteFileName,
  quoteSecretFileName,
  unescapeJson,
  readJson,
  parseNetwork,
  parseSigningKey,
  showInLine,
  mask,
  withoutHosts,
  pemCertificate: (text) => pemProblem(text, "CERTIFICATE"),
  pemKey: (text) => pemProblem(text, "PRIVATE KEY"),
  maskAppSecrets: (text) => maskAppSecrets(`"app_secret${text}`, "***"),
  redactUrl: (text) => redactUrl(text, "url"),
  urlSecrets: (text) => urlSecrets(text, "address"),
  readNumber: (text) => readText(numberNode, text),
  readList: (text) => readText(listNode, text),
  isServiceLink: (text) => isServiceLink(text, text),
  unreadName: (text) => unreadName(text, text),
  didYouMean: (text) => didYouMean(text, ["concurrency", "capacity"]),
  describeSyntaxError: (text) => describeSyntaxError(text, text.length >>> 1, "expected a value"),
  describeNetworkFault: (text) => describeNetworkFault(new Error(text)),
  parseSavedHeaders: (text) => {
    try {
      return parseSavedHeaders(text);
    } catch (error) {
      return error;
    }
  },
};

/** The slowest text for a check: how long it took, and what it was. */
function slowest(check: (text: string) => unknown): { ms: number; text: string } {
  let worst = { ms: 0, text: "" };
  for (const text of hostileTexts()) {
    const before = performance.now();
    check(text);
    const ms = performance.now() - before;
    if (ms > worst.ms) worst = { ms, text: JSON.stringify(text.slice(0, 40)) };
    if (ms > limitMs) break;
  }
  return worst;
}

describe("100 KB of its worst input", () => {
  test.each(Object.entries(checks))(
    "%s takes no longer than in proportion",
    (name, check) => {
      const worst = slowest(check);
      expect({ name, ...worst, ms: worst.ms > limitMs ? worst.ms : "fine" }).toMatchObject({ ms: "fine" });
    },
    60_000,
  );

  test("a channel pattern is refused at once where it is none", () => {
    for (const pump of ["[!", "[^", "\\\\u", "a["]) {
      const before = performance.now();
      expect(() => compileChannelPattern(`${pump.repeat(length / pump.length)}(?=`)).toThrow(SyntaxError);
      expect(performance.now() - before).toBeLessThan(limitMs);
    }
  });

  test("the row's own input, and names of that length, are refused at once", async () => {
    const long = "a-".repeat(30) + ":8080";
    const before = performance.now();
    expect(
      await issuesOf({ egress: { deny: [long], allow: ["internal-billing-service.corp.example.com:8080"] } }),
    ).toHaveLength(2);
    expect(await issuesOf(null, { env: { [`HOOKLINE_${"A".repeat(length)}`]: "x" } })).toHaveLength(1);
    expect(await issuesOf({ ["k".repeat(length)]: 1 })).toHaveLength(1);
    expect(performance.now() - before).toBeLessThan(limitMs);
  });
});

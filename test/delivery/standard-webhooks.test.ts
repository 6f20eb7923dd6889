import { describe, expect, test } from "bun:test";
import { Webhook } from "standardwebhooks";
import { testEndpoint } from "../support/endpoint.ts";
import { signatureHeaders } from "../../src/delivery/signature-headers.ts";
import {
  encodePublicKey,
  generateKeyPair,
  generateSymmetricKey,
  parseSigningKey,
  parseVerifyingKey,
  publicJwk,
} from "../../src/delivery/signing-keys.ts";
import type { SigningKey, VerifyingKey } from "../../src/delivery/signing-keys.ts";
import { orderKeys, signStandard, verifyStandard } from "../../src/delivery/standard-webhooks.ts";
import type { StandardWebhook } from "../../src/delivery/standard-webhooks.ts";

// Known answers: the reference libraries' tests (v1), Svix's worker and the specification's own example (v1a).
const id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const timestampSeconds = 1_614_265_330;
const body = '{"test": 2432232314}';
const whsec = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const whsk = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";
const whpk = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=";
const v1 = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
const v1a = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==";
const nowMs = timestampSeconds * 1000;

function signingKey(text: string): SigningKey {
  const key = parseSigningKey(text);
  if (typeof key === "string") throw new Error(key);
  return key;
}

function verifyingKey(text: string): VerifyingKey {
  const key = parseVerifyingKey(text);
  if (typeof key === "string") throw new Error(key);
  return key;
}

function signWith(...keys: [text: string, notAfter: number | null][]): string | null {
  const dated = keys.map(([text, notAfter]) => ({ key: signingKey(text), notAfter }));
  return signStandard({ id, timestampSeconds, body, keys: dated, nowMs });
}

describe("known answers", () => {
  test("v1", () => expect(signWith([whsec, null])).toBe(v1));
  test("v1a", () => expect(signWith([whsk, null])).toBe(v1a));
  test("both in one header, in the order given", () => {
    expect(signWith([whsk, null], [whsec, null])).toBe(`${v1a} ${v1}`);
  });

  test("bytes are signed as text is", () => {
    const bytes = new TextEncoder().encode(body);
    const keys = [whsec, whsk].map((text) => ({ key: signingKey(text), notAfter: null }));
    expect(signStandard({ id, timestampSeconds, body: bytes, keys, nowMs })).toBe(`${v1} ${v1a}`);
  });

  test("the public half belongs to the secret key", () => {
    const key = signingKey(whsk);
    if (key.version !== "v1a") throw new Error("whsk_ is a v1a key");
    expect(encodePublicKey(key.publicKey)).toBe(whpk);
  });
});

describe("signStandard", () => {
  test("a key is used until its not_after, and no longer", () => {
    expect(signWith([whsk, nowMs + 1], [whsec, null])).toBe(`${v1a} ${v1}`);
    expect(signWith([whsk, nowMs], [whsec, null])).toBe(v1);
  });

  test("without a key in use there is no signature", () => {
    expect(signWith([whsk, nowMs - 1])).toBeNull();
    expect(signWith()).toBeNull();
  });

  test("an id with a dot is refused", () => {
    const keys = [{ key: signingKey(whsec), notAfter: null }];
    expect(() => signStandard({ id: "a.b", timestampSeconds, body, keys, nowMs })).toThrow("dot");
  });

  test("npm's standardwebhooks verifies v1, rotation included", () => {
    const old = generateSymmetricKey();
    const seconds = Math.floor(Date.now() / 1000);
    const keys = [whsec, whsk, old].map((text) => ({ key: signingKey(text), notAfter: null }));
    for (const payload of ['{"é":"😀","n":12345678901234567890}', "{}", "[1.0]"]) {
      const signature = signStandard({
        id: "job_1",
        timestampSeconds: seconds,
        body: payload,
        keys,
        nowMs: Date.now(),
      });
      const headers = {
        "webhook-id": "job_1",
        "webhook-timestamp": String(seconds),
        "webhook-signature": signature as string,
      };
      for (const secret of [whsec, old]) {
        expect(new Webhook(secret).verify(payload, headers)).toEqual(JSON.parse(payload));
      }
      expect(() => new Webhook(generateSymmetricKey()).verify(payload, headers)).toThrow();
    }
  });

  test("what npm's standardwebhooks signs is verified here", () => {
    const signature = new Webhook(whsec).sign(id, new Date(nowMs), body);
    expect(signature).toBe(v1);
  });
});

test("an attempt's timestamp is in seconds, and signed", () => {
  const keys = [{ key: signingKey(whsec), notAfter: null }];
  const endpoint = testEndpoint({ standardKeys: keys });
  const headers = signatureHeaders(endpoint, { deliveryId: id, body, nowMs: nowMs + 999 });
  expect(headers).toEqual([
    ["webhook-timestamp", String(timestampSeconds)],
    ["webhook-signature", v1],
  ]);
});

test("orderKeys puts keys without an end first, then the one that ends last", () => {
  const key = signingKey(whsec);
  const ends = orderKeys([5, null, 9, null, 7].map((notAfter) => ({ key, notAfter }))).map(
    ({ notAfter }) => notAfter,
  );
  expect(ends).toEqual([null, null, 9, 7, 5]);
});

describe("verifyStandard", () => {
  const good: StandardWebhook = { id, timestamp: String(timestampSeconds), signature: `${v1} ${v1a}`, body };
  const verdict = (change: Partial<StandardWebhook>, key: string, at = nowMs): string => {
    const result = verifyStandard({ ...good, ...change }, [verifyingKey(key)], at);
    return result.ok ? "ok" : result.reason;
  };
  const other = generateSymmetricKey();

  test.each([
    [{}, whsec, "ok"],
    [{}, whpk, "ok"],
    [{}, whsk, "ok"],
    [{ body: new TextEncoder().encode(body) }, whpk, "ok"],
    [{ signature: `v1,AAAA ${v1}` }, whsec, "ok"],
    [{ signature: `v2,x v1a,y nonsense ${v1}` }, whsec, "ok"],
    [{ signature: v1a }, whsec, "no_matching_signature"],
    [{ signature: v1 }, whpk, "no_matching_signature"],
    [{ signature: v1.replace("v1,", "v1a,") }, whpk, "no_matching_signature"],
    [{ signature: v1.replace("v1,", "v2,") }, whsec, "no_matching_signature"],
    [{ signature: v1.slice(3) }, whsec, "no_matching_signature"],
    [{ signature: "" }, whsec, "no_matching_signature"],
    [{ signature: v1.slice(0, -4) }, whsec, "no_matching_signature"],
    [{ signature: v1a.replace("hnO3", "hnO4") }, whpk, "no_matching_signature"],
    [{ body: `${body} ` }, whsec, "no_matching_signature"],
    [{ body: `${body} ` }, whpk, "no_matching_signature"],
    [{ id: "msg_other" }, whsec, "no_matching_signature"],
    [{ timestamp: String(timestampSeconds + 1) }, whsec, "no_matching_signature"],
    [{}, other, "no_matching_signature"],
    [{ timestamp: "" }, whsec, "bad_timestamp"],
    [{ timestamp: "1e9" }, whsec, "bad_timestamp"],
    [{ timestamp: "-1" }, whsec, "bad_timestamp"],
    [{ timestamp: `${timestampSeconds}.0` }, whsec, "bad_timestamp"],
  ])("%# %j", (change, key, expected) => expect(verdict(change, key)).toBe(expected));

  test.each([
    [300, "ok"],
    [301, "too_old"],
    [-300, "ok"],
    [-301, "too_new"],
  ])("%i seconds after the timestamp: %s", (seconds, expected) => {
    expect(verdict({}, whsec, nowMs + seconds * 1000)).toBe(expected);
  });

  test("any of several keys will do", () => {
    const keys = [verifyingKey(other), verifyingKey(whpk), verifyingKey(whsec)];
    expect(verifyStandard({ ...good, signature: v1 }, keys, nowMs)).toEqual({ ok: true });
    expect(verifyStandard(good, [], nowMs).ok).toBe(false);
  });
});

describe("keys", () => {
  const bytes = (length: number): string => Buffer.alloc(length, 7).toString("base64");
  const halves = Buffer.from(whsk.slice(5), "base64");
  const foreign = Buffer.concat([halves.subarray(0, 32), Buffer.alloc(32, 1)]).toString("base64");

  test.each([
    [`whsec_${bytes(23)}`, "24 to 64 bytes after whsec_, got 23"],
    [`whsec_${bytes(65)}`, "24 to 64 bytes after whsec_, got 65"],
    ["whsec_", "24 to 64 bytes"],
    [`whsec_${bytes(25).replace(/=+$/, "")}`, "standard base64"],
    [`whsec_${Buffer.alloc(24, 255).toString("base64url").replace("_", "_")}`, "standard base64"],
    [`whsec_${bytes(24)}\n`, "standard base64"],
    [`whsk_${bytes(31)}`, "after whsk_, got 31"],
    [`whsk_${bytes(63)}`, "after whsk_, got 63"],
    [`whsk_${foreign}`, "does not belong to its seed"],
    ["whsk_!", "standard base64"],
    [whpk, "got a public one"],
    ["MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "begins with whsec_ or whsk_"],
    ["", "begins with whsec_ or whsk_"],
  ])("%s is refused", (text, expected) => {
    const problem = parseSigningKey(text);
    expect(problem).toContain(expected);
    const secret = text.replace(/^wh[a-z]+_/, "");
    if (secret.length > 3) expect(problem).not.toContain(secret);
  });

  test.each([24, 32, 64])("%i bytes are taken after whsec_", (length) => {
    expect(signingKey(`whsec_${bytes(length)}`).version).toBe("v1");
  });

  test("a seed alone is the same key as seed and public half", () => {
    const seed = `whsk_${halves.subarray(0, 32).toString("base64")}`;
    expect(signWith([seed, null])).toBe(v1a);
  });

  test.each([`whpk_${bytes(31)}`, `whpk_${bytes(33)}`, "whpk_", "whpk_="])("%s is no public key", (text) => {
    expect(typeof parseVerifyingKey(text)).toBe("string");
  });

  test("generated keys parse, sign and verify, and are never the same twice", () => {
    const { secretKey, publicKey } = generateKeyPair();
    const symmetric = generateSymmetricKey();
    expect(generateKeyPair().secretKey).not.toBe(secretKey);
    expect(generateSymmetricKey()).not.toBe(symmetric);
    const signature = signWith([secretKey, null], [symmetric, null]) as string;
    const webhook = { id, timestamp: String(timestampSeconds), signature, body };
    for (const text of [publicKey, symmetric]) {
      expect(verifyStandard(webhook, [verifyingKey(text)], nowMs)).toEqual({ ok: true });
    }
  });

  test("a parsed key prints no secret", () => {
    const printed = `${Bun.inspect(signingKey(whsk), { depth: 9 })}${JSON.stringify(signingKey(whsk))}${Bun.inspect(signingKey(whsec), { depth: 9 })}`;
    expect(printed).not.toContain(whsk.slice(5, 20));
    expect(printed).not.toContain(whsec.slice(6, 20));
    expect(printed).not.toContain(halves.subarray(0, 8).toString("hex"));
  });

  test("a public key has a JWK with its thumbprint", () => {
    // RFC 8037 appendix A.2 and A.3.
    const x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    const key = verifyingKey(`whpk_${Buffer.from(x, "base64url").toString("base64")}`);
    if (key.version !== "v1a") throw new Error("whpk_ is a v1a key");
    expect(publicJwk(key.publicKey)).toEqual({
      kty: "OKP",
      crv: "Ed25519",
      x,
      kid: "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
      use: "sig",
      alg: "EdDSA",
    });
  });
});

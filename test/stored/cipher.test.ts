import { expect, test } from "bun:test";
import { createHash, randomBytes } from "node:crypto";
import { createCipher, keyIdOf, sealedWith } from "../../src/stored/cipher.ts";

const [one, other] = [randomBytes(32), randomBytes(32)];
const text = JSON.stringify({ secret: "top-secret-of-the-shop", name: "größer 🐟" });

test("a key's id is the beginning of its SHA-256", () => {
  expect(keyIdOf(one)).toBe(createHash("sha256").update(one).digest("hex").slice(0, 8));
});

test("what is sealed opens again, for the same record only", () => {
  const cipher = createCipher(one);
  const sealed = cipher.seal("app:shop", text);
  expect(cipher.open("app:shop", sealed)).toEqual({ ok: true, text });
  expect(cipher.open("app:shop2", sealed)).toMatchObject({ ok: false, why: "damaged" });
  expect(cipher.open("endpoint:shop", sealed)).toMatchObject({ ok: false, why: "damaged" });
});

test("the bytes hold nothing of the text, and the same text is never sealed alike", () => {
  const cipher = createCipher(one);
  const [first, second] = [cipher.seal("a", text), cipher.seal("a", text)];
  expect(Buffer.from(first).includes("top-secret")).toBe(false);
  expect(Buffer.from(first).equals(second)).toBe(false);
});

test("a changed byte is found, wherever it is", () => {
  const cipher = createCipher(one);
  const sealed = cipher.seal("a", text);
  for (let at = 0; at < sealed.length; at += 1) {
    const changed = Uint8Array.from(sealed);
    changed[at] = (changed[at] as number) ^ 1;
    expect({ at, ok: cipher.open("a", changed).ok }).toEqual({ at, ok: false });
  }
  for (const length of [0, 1, 5, 32, 33, sealed.length - 1]) {
    expect(cipher.open("a", sealed.subarray(0, length)).ok).toBe(false);
  }
});

test("a previous key opens and does not seal; a missing one is named", () => {
  const old = createCipher(one).seal("a", text);
  const rotated = createCipher(other, [one]);
  expect(rotated.open("a", old)).toEqual({ ok: true, text });
  expect(sealedWith(rotated.seal("a", text))).toBe(keyIdOf(other));
  expect(createCipher(other).open("a", old)).toEqual({
    ok: false,
    why: "missing_key",
    keyId: keyIdOf(one),
  });
});

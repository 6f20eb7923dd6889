import { Buffer } from "node:buffer";
import * as v from "valibot";
import { checkedText, secretValue } from "./kinds.ts";

/** What AES-256 takes. */
const keyBytes = 32;

function keyProblem(text: string): string | null {
  const bytes = Buffer.from(text, "base64");
  const isBase64 = /^[A-Za-z0-9+/_-]+={0,2}$/.test(text);
  return isBase64 && bytes.length === keyBytes
    ? null
    : `${keyBytes} bytes in base64 (openssl rand -base64 ${keyBytes})`;
}

/** A key that encrypts what the API stores. */
export const encryptionKey = (description: string) =>
  v.pipe(checkedText(`${keyBytes} bytes in base64`, keyProblem, description), v.metadata(secretValue));

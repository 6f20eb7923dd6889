import { Buffer } from "node:buffer";
import { gunzipSync, gzipSync } from "node:zlib";
import type { JobBody } from "../../../jobs/job.ts";
import type { MessageAttributeValue } from "./api.ts";

/**
 * How a job's bytes stand in a message body, which may only hold the characters of XML 1.0 and must not be
 * empty (API_SendMessage, MessageBody). What it cannot hold travels in base64 and says so in the message
 * attribute `hookline`; everything else travels as it is, so that other consumers can read it.
 */
export type BodyEncoding = "base64" | "gzip" | "empty";

export interface EncodedBody {
  readonly text: string;
  readonly encoding: BodyEncoding | null;
}

// oxlint-disable-next-line no-control-regex -- control characters are what SQS refuses
const forbidden = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Surrogate}/u;

export function encodeBody(body: JobBody): EncodedBody {
  if (typeof body === "string") {
    if (body === "") return { text: "-", encoding: "empty" };
    return forbidden.test(body)
      ? { text: Buffer.from(body).toString("base64"), encoding: "base64" }
      : { text: body, encoding: null };
  }
  if (body.length === 0) return { text: "-", encoding: "empty" };
  return { text: Buffer.from(body).toString("base64"), encoding: "base64" };
}

/** The same bytes packed, for dead letters that would not fit otherwise. */
export function packBody(body: JobBody): EncodedBody {
  return { text: gzipSync(body).toString("base64"), encoding: "gzip" };
}

/** A message of 1 MiB, each of its bytes written as `\u00XX` in an envelope, is not more; gzip could hold a thousandfold. */
const maxUnpackedBytes = 8 * 1_048_576;

/** The job's bytes: text where they are UTF-8. Wrong base64 or gzip gives the text as it stands. */
export function decodeBody(text: string, encoding: BodyEncoding | null): JobBody {
  if (encoding === null) return text;
  if (encoding === "empty") return "";
  const bytes = Buffer.from(text, "base64");
  if (encoding === "base64") return textOrBytes(bytes);
  try {
    return textOrBytes(gunzipSync(bytes, { maxOutputLength: maxUnpackedBytes }));
  } catch {
    // Whoever wrote this attribute was not hookline, or means to fill our memory: the text is all there is.
    return text;
  }
}

function textOrBytes(bytes: Uint8Array): JobBody {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    // Not UTF-8: the bytes are the job.
    return new Uint8Array(bytes);
  }
}

/** Bytes SQS counts against its limit: body plus every attribute's name, type and value. */
export function messageBytes(
  body: string,
  attributes: Readonly<Record<string, MessageAttributeValue>>,
): number {
  let bytes = Buffer.byteLength(body);
  for (const [name, { DataType, StringValue, BinaryValue }] of Object.entries(attributes)) {
    bytes +=
      Buffer.byteLength(name) + Buffer.byteLength(DataType ?? "") + Buffer.byteLength(StringValue ?? "");
    bytes += BinaryValue === undefined ? 0 : Buffer.byteLength(BinaryValue, "base64");
  }
  return bytes;
}

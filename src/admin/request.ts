import { readJson } from "../config/json-text.ts";
import type { RequestHeaders } from "./incoming.ts";
import { isNestedDeeper } from "./nesting.ts";
import { RequestError } from "./request-error.ts";
import type { AdminRequest } from "./route.ts";
import { createTurnstile } from "./turnstile.ts";

/** Smaller bodies are read at once. */
const heavyBytes = 65_536;

/** More than any program writes on purpose; what receivers take is often less (PHP's json_decode: 512). */
const mostLevels = 1_000;

/** One for the process, as its event loop is. */
const turn = createTurnstile();

const decoder = new TextDecoder("utf-8", { fatal: true });

/**
 * The request body as text, a byte order mark removed.
 *
 * @throws RequestError for a body that is not declared as JSON, too large, empty, not UTF-8 or nested too deeply.
 */
export async function readJsonText(
  request: AdminRequest,
  limitBytes: number,
  types: readonly string[] = ["application/json"],
): Promise<string> {
  requireJson(request.headers, types);
  const bytes = await request.readBody(limitBytes);
  if (bytes.length > heavyBytes) await turn();
  if (bytes.length === 0) throw new RequestError("empty_body", "the body is empty: send JSON");
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    throw new RequestError(
      "invalid_utf8",
      `the body is not UTF-8: the byte at offset ${firstInvalidByte(bytes)} belongs to no character`,
    );
  }
  if (isNestedDeeper(text, mostLevels)) {
    throw new RequestError(
      "invalid_json",
      `the body is nested more than ${mostLevels} levels deep: send it flatter, or the nested part as a string`,
    );
  }
  if (!/\S/.test(text)) throw new RequestError("empty_body", "the body is only white space: send JSON");
  return text;
}

/** As readJsonText; null for a request that has no body at all. */
export async function readJsonTextIfAny(request: AdminRequest, limitBytes: number): Promise<string | null> {
  const { headers } = request;
  const hasNone =
    (headers.get("content-length") ?? "0") === "0" && (headers.get("transfer-encoding") ?? null) === null;
  return hasNone ? null : readJsonText(request, limitBytes);
}

function requireJson(headers: RequestHeaders, types: readonly string[]): void {
  const type = headers.get("content-type") ?? null;
  const [name, ...parameters] = (type ?? "").toLowerCase().split(";");
  if (!types.includes(name?.trim() ?? "")) {
    throw new RequestError(
      "unsupported_media_type",
      `the body must be sent with Content-Type: ${types.join(" or ")}, not ${type === null ? "without one" : JSON.stringify(type.slice(0, 100))}`,
    );
  }
  const charset = parameters.map((parameter) => parameter.trim()).find((one) => one.startsWith("charset="));
  if (charset !== undefined && !/^charset="?utf-?8"?$/.test(charset)) {
    throw new RequestError("unsupported_media_type", "JSON is UTF-8 (RFC 8259 §8.1): send no other charset");
  }
  const encoding = headers.get("content-encoding") ?? null;
  if (encoding !== null && encoding.toLowerCase() !== "identity") {
    throw new RequestError("unsupported_media_type", "send the body without Content-Encoding");
  }
}

/** Offset of the first byte that is part of no valid character; found by halving, since this is rare. */
function firstInvalidByte(bytes: Uint8Array): number {
  const validUpTo = (end: number): boolean => {
    try {
      // A character cut off at `end` is not an error yet: streaming keeps it for the next call.
      new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(0, end), { stream: true });
      return true;
    } catch {
      return false;
    }
  };
  let low = 0;
  let high = bytes.length;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (validUpTo(middle + 1)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * The value of a JSON body.
 *
 * A key named `__proto__` becomes an ordinary member (JSON.parse never sets a prototype).
 *
 * @throws RequestError `invalid_json` with line and column, and nothing of the body: it may hold secrets.
 */
export function parseJsonBody(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw invalidJson(text);
  }
}

/** The refusal of a text that JSON.parse does not take: syntax, or nesting deeper than its stack. */
export function invalidJson(text: string): RequestError {
  const reading = readJson(text);
  if (reading.ok) return new RequestError("invalid_json", "the body is not JSON");
  const before = text.slice(0, reading.offset);
  const line = before.split("\n").length;
  const column = reading.offset - before.lastIndexOf("\n");
  return new RequestError("invalid_json", `line ${line}, column ${column}: ${reading.message}`);
}

import type { Buffer } from "node:buffer";
import { UsageError } from "../errors.ts";
import type { ReceivedHeaders } from "../receiver/verdict.ts";

/**
 * Headers as people save them: lines `name: value` (after a request line or not, with curl's `> ` before
 * them or not), or a JSON object.
 *
 * @throws UsageError when there is no header in it.
 */
export function parseSavedHeaders(text: string): ReceivedHeaders {
  const headers = new Map<string, string[]>();
  for (const [name, value] of text.trimStart().startsWith("{") ? jsonHeaders(text) : lineHeaders(text)) {
    const key = name.toLowerCase();
    headers.set(key, [...(headers.get(key) ?? []), value.trim()]);
  }
  if (headers.size === 0) throw new UsageError("--headers: expected lines `name: value`, or a JSON object");
  return headers;
}

/**
 * A whole request as it was saved: headers, an empty line, and the body byte for byte.
 *
 * @throws UsageError when there is no empty line after headers.
 */
export function splitSavedRequest(bytes: Buffer): { headers: ReceivedHeaders; body: Buffer } {
  const text = bytes.toString("latin1");
  const end = /\r?\n\r?\n/.exec(text);
  if (end === null || !/^[\w-]+:/m.test(text.slice(0, end.index))) {
    throw new UsageError(
      "expected headers, an empty line and the body; or give the headers with --headers FILE",
    );
  }
  return {
    headers: parseSavedHeaders(text.slice(0, end.index)),
    body: bytes.subarray(end.index + end[0].length),
  };
}

function lineHeaders(text: string): [string, string][] {
  return text.split(/\r?\n/).flatMap((line): [string, string][] => {
    const [, name, value] = /^(?:> )?([\w-]+):(.*)$/.exec(line) ?? [];
    return name === undefined || value === undefined ? [] : [[name, value]];
  });
}

function jsonHeaders(text: string): [string, string][] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new UsageError("--headers: begins like JSON and is not");
  }
  return Object.entries(value as object).flatMap(([name, held]): [string, string][] =>
    (Array.isArray(held) ? held : [held]).map((one) => [name, String(one)]),
  );
}

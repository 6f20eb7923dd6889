import { readJson } from "../config/json-text.ts";
import { RequestError } from "./request-error.ts";

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

/** One HTTP/1.1 request as it stood on the wire. */
export interface Parsed {
  readonly method: string;
  /** Request target as sent, query included. */
  readonly path: string;
  /** By lower-case name; repeated ones joined with ", ". */
  readonly headers: Readonly<Record<string, string>>;
  /** Names and values as sent, in order. */
  readonly rawHeaders: readonly (readonly [string, string])[];
  readonly body: Buffer;
}

/** The first request in the buffer and how many bytes it took; null while it is incomplete. */
export function parseRequest(buffer: Buffer): { request: Parsed; consumed: number } | null {
  const headEnd = buffer.indexOf("\r\n\r\n");
  if (headEnd < 0) return null;
  const lines = buffer.toString("latin1", 0, headEnd).split("\r\n");
  const [method = "", path = ""] = (lines[0] ?? "").split(" ");
  const rawHeaders: [string, string][] = [];
  const headers: Record<string, string> = Object.create(null) as Record<string, string>;
  for (let i = 1; i < lines.length; i++) {
    const line = lines[i] ?? "";
    const colon = line.indexOf(":");
    const name = line.slice(0, colon);
    const value = line.slice(colon + 1).trim();
    const key = name.toLowerCase();
    rawHeaders.push([name, value]);
    headers[key] = headers[key] === undefined ? value : `${headers[key]}, ${value}`;
  }
  const start = headEnd + 4;
  if (headers["transfer-encoding"] === "chunked") {
    const chunked = parseChunked(buffer, start);
    if (chunked === null) return null;
    return { request: { method, path, headers, rawHeaders, body: chunked.body }, consumed: chunked.end };
  }
  const end = start + Number(headers["content-length"] ?? 0);
  if (buffer.length < end) return null;
  return { request: { method, path, headers, rawHeaders, body: buffer.subarray(start, end) }, consumed: end };
}

function parseChunked(buffer: Buffer, start: number): { body: Buffer; end: number } | null {
  const parts: Buffer[] = [];
  let at = start;
  for (;;) {
    const lineEnd = buffer.indexOf("\r\n", at);
    if (lineEnd < 0) return null;
    const size = Number.parseInt(buffer.toString("latin1", at, lineEnd), 16);
    const dataEnd = lineEnd + 2 + size;
    if (buffer.length < dataEnd + 2) return null;
    if (size === 0) return { body: Buffer.concat(parts), end: dataEnd + 2 };
    parts.push(buffer.subarray(lineEnd + 2, dataEnd));
    at = dataEnd + 2;
  }
}

/**
 * Reads a fetch response's body to its end and drops it, so that its connection can be used again; after
 * `maxBytes` it stops and closes the connection instead. Never inflates (the caller set `decompress:
 * false`), and rejects with the connection's error or the abort.
 */
export async function drainResponse(response: Response, maxBytes: number): Promise<void> {
  const length = response.headers.get("content-length");
  if (length !== null && Number(length) <= maxBytes) {
    await response.arrayBuffer();
    return;
  }
  // Not touched before: the stream that this getter makes costs more than all of the above.
  const { body } = response;
  if (body === null) return;
  const reader = body.getReader();
  let read = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    read += value.byteLength;
    if (read > maxBytes) return reader.cancel();
  }
}

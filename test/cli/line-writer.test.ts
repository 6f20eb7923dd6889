import { expect, test } from "bun:test";
import { createLineWriter } from "../../src/cli/line-writer.ts";
import type { OutputStream } from "../../src/cli/line-writer.ts";

/** A stream whose reader reads only when told to. */
function stalledStream(): OutputStream & { chunks: string[]; read(): void; fail(error?: Error): void } {
  const waiting: ((error?: Error) => void)[] = [];
  const chunks: string[] = [];
  return {
    chunks,
    write(chunk, done) {
      chunks.push(chunk);
      waiting.push(done);
      return false;
    },
    on: () => undefined,
    read: () => waiting.shift()?.(),
    fail: (error = new Error("EPIPE")) => waiting.shift()?.(error),
  };
}

test("lines that gather behind a write under way leave as one write, in order", async () => {
  const stream = stalledStream();
  const writer = createLineWriter(stream);
  for (const line of ["a\n", "b\n", "c\n"]) writer.write(line);
  expect(stream.chunks).toEqual(["a\n"]);
  stream.read();
  expect(stream.chunks).toEqual(["a\n", "b\nc\n"]);
  const flushed = writer.flush(10_000);
  stream.read();
  await flushed;
});

test("what a stalled reader does not take is bounded, and the lines dropped are counted", () => {
  const stream = stalledStream();
  const writer = createLineWriter(stream, {
    maxPendingChars: 10,
    droppedLine: (count) => `${count} dropped\n`,
  });
  writer.write("first\n");
  for (let index = 0; index < 5; index += 1) writer.write("12345\n");
  stream.read();
  stream.read();
  expect(stream.chunks).toEqual(["first\n", "12345\n4 dropped\n"]);
});

test("flush gives up on a stalled reader after its time", async () => {
  const writer = createLineWriter(stalledStream());
  writer.write("a\n");
  await writer.flush(20);
});

test("a reader that is gone ends the writing, and flush does not wait for it", async () => {
  const stream = stalledStream();
  const writer = createLineWriter(stream);
  writer.write("a\n");
  writer.write("b\n");
  stream.fail();
  writer.write("c\n");
  await writer.flush(60_000);
  expect(stream.chunks).toEqual(["a\n"]);
});

// Finding: `config schema >/dev/full` ended with 0.
test("text that could not be written is a failure, a reader that is gone is none", () => {
  for (const [code, isFailure] of [
    ["ENOSPC", true],
    ["EPIPE", false],
  ] as const) {
    const stream = stalledStream();
    const writer = createLineWriter(stream);
    expect([writer.isUsed, writer.failure]).toEqual([false, null]);
    writer.write("a\n");
    stream.fail(Object.assign(new Error(code), { code }));
    expect([writer.isUsed, writer.failure?.message]).toEqual([true, isFailure ? code : undefined]);
  }
});

test("a stream that throws is one that failed", () => {
  const stream = {
    ...stalledStream(),
    write: () => {
      throw new Error("No space left on device");
    },
  };
  const writer = createLineWriter(stream);
  writer.write("a\n");
  expect(writer.failure?.message).toBe("No space left on device");
});

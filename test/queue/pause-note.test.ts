import { expect, test } from "bun:test";
import { createLogger } from "../../src/log.ts";
import { createPauseNote } from "../../src/queue/pause-note.ts";

test("a pause is told once when it begins and once when it is over, and stands with the time of its beginning", () => {
  const lines: string[] = [];
  let now = 1_000;
  const clock = { now: () => now, monotonic: () => now };
  const log = createLogger({
    level: "info",
    format: "json",
    write: (line) => {
      const { level, msg, queue } = JSON.parse(line) as Record<string, string>;
      lines.push(`${level} ${queue} ${/paused|resumed/.exec(msg ?? "")?.[0]}`);
    },
    mask: (text) => text,
    now: () => now,
  });
  const note = createPauseNote("mail", { clock, log });
  note.set(false);
  expect([lines, note.findings()]).toEqual([[], []]);
  note.set(true);
  now = 5_000;
  note.set(true);
  expect(note.findings()).toMatchObject([{ kind: "queue_paused", object: "mail", since: 1_000 }]);
  note.set(false);
  note.set(false);
  expect(note.findings()).toEqual([]);
  expect(lines).toEqual(["warn mail paused", "info mail resumed"]);
});

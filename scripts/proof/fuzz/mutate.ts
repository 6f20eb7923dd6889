import type { Random } from "../random.ts";

/** Texts on which readers have stumbled. */
const stumbles = [
  "\0",
  "\u2028",
  "\ud800",
  "\ufeff",
  "é",
  "😀",
  '"',
  "\\",
  "\\u0000",
  "\r\n",
  "\n",
  "\r\n\r\n",
  "[".repeat(300),
  '{"a":'.repeat(200),
  "1e999",
  "-0",
  "18446744073709551616",
  "9".repeat(400),
  "null",
  "__proto__",
  "constructor",
  "toString",
  ",",
  ":",
  "}",
  "]",
  "%00",
  "../",
  "\u001b[31m",
];

/** One to four changes of a text: cut, doubled, turned, mixed with another. */
export function mutateText(text: string, others: readonly string[], random: Random): string {
  let changed = text;
  for (let left = random.whole(1, 4); left > 0; left -= 1) {
    const at = random.whole(0, changed.length);
    const to = Math.min(changed.length, at + random.whole(0, 30));
    switch (random.whole(0, 6)) {
      case 0:
        changed = changed.slice(0, at);
        break;
      case 1:
        changed = changed.slice(0, at) + changed.slice(to);
        break;
      case 2:
        changed = changed.slice(0, to) + changed.slice(at);
        break;
      case 3:
        changed = changed.slice(0, at) + random.pick(stumbles) + changed.slice(at);
        break;
      case 4:
        changed = changed.slice(0, at) + random.pick(stumbles) + changed.slice(to);
        break;
      case 5:
        changed = changed.slice(0, at) + String.fromCharCode(random.whole(0, 255)) + changed.slice(at + 1);
        break;
      default: {
        const other = random.pick(others);
        const from = random.whole(0, other.length);
        changed = changed.slice(0, at) + other.slice(from, from + random.whole(0, 60)) + changed.slice(to);
      }
    }
  }
  return changed;
}

/** The same for bytes, which need be no text afterwards. */
export function mutateBytes(bytes: Buffer, random: Random): Buffer {
  const changed = Buffer.from(bytes);
  for (let left = random.whole(1, 4); left > 0 && changed.length > 0; left -= 1) {
    changed[random.whole(0, changed.length - 1)] = random.whole(0, 255);
  }
  return random.chance(0.2) ? changed.subarray(0, random.whole(0, changed.length)) : changed;
}

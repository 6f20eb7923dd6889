import { RE2JS } from "re2js";

/**
 * How much of a channel's name a pattern sees. The time of a match grows with it and with the pattern's own
 * size, and with nothing else.
 */
const patternLimit = 256;

/**
 * Whether the first 256 characters of a channel's name hold a match of the pattern, in linear time.
 *
 * Channel names come from clients. Under a backtracking engine `(x+x+)+y|!` takes 0.4 s for one of 61
 * characters, in which the whole process stands still, and Bun's then gives up and answers "no match", so
 * that the event is lost as filtered out. RE2 has no such names.
 *
 * @throws SyntaxError for what is no pattern, and for what RE2 does not have: lookaround, backreferences.
 */
export function compileChannelPattern(pattern: string): (channel: string) => boolean {
  const construct = unsupportedConstruct(pattern);
  if (construct !== null) {
    throw new SyntaxError(`RE2's syntax, which is matched in linear time, has no ${construct}`);
  }
  const compiled = compile(pattern);
  return (channel) => compiled.test(channel.slice(0, patternLimit));
}

function compile(pattern: string): RE2JS {
  try {
    // Spells JavaScript's own escapes (\/, \u0041, [^], (?<name>…)) as RE2 has them.
    return RE2JS.compile(RE2JS.translateRegExp(pattern));
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new SyntaxError(message.replace(/^error parsing regexp: /, ""), { cause: error });
  }
}

/** What a pattern uses that no linear-time engine has; found here because the translation would read past `\k`. */
function unsupportedConstruct(pattern: string): string | null {
  let inClass = false;
  for (let at = 0; at < pattern.length; at += 1) {
    const character = pattern[at];
    if (character === "\\") {
      const token = pattern.slice(at, at + 2);
      if (!inClass && /^\\[1-9k]$/.test(token)) return `backreferences: "${token}"`;
      // An escaped character is passed over, so that `\(?=` is none.
      at += 1;
    } else if (inClass) {
      inClass = character !== "]";
    } else if (character === "[") {
      inClass = true;
      // Right behind the bracket a caret negates; a `]` that follows closes, as in JavaScript.
      if (pattern[at + 1] === "^") at += 1;
    } else {
      const [token] = /^\(\?<?[=!]/.exec(pattern.slice(at, at + 4)) ?? [];
      if (token !== undefined) return `lookaround: "${token}"`;
    }
  }
  return null;
}

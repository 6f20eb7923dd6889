/**
 * What a terminal obeys instead of showing it: C0, DEL and C1 (ECMA-48), the separators of lines and paragraphs, and
 * the controls of writing direction (Unicode UAX #9), which make a text read other than it is.
 */
const controls = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;
const controlsInLines = /(?![\n\t])[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

/**
 * A text of somebody else's as part of one line: every control is written as `\uXXXX`, line breaks included, so that
 * it neither steers the terminal nor passes for a line of its own.
 *
 * JSON stays the same JSON: inside its strings `\uXXXX` is the same character, and elsewhere it has no controls.
 */
export function showInLine(text: string): string {
  return text.replace(controls, escapeControl);
}

/** As showInLine, for a text of several lines: line feeds and tabs stay. */
export function showLines(text: string): string {
  return text.replace(controlsInLines, escapeControl);
}

function escapeControl(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * Whether brackets are nested more deeply than this in a JSON text; texts that are no JSON are measured as well as
 * they allow.
 *
 * One pass without recursion. JSON.parse takes 400,000 levels, for which it needs a hundred times what it needs for
 * as many bytes of anything else, and so does every receiver.
 */
export function isNestedDeeper(text: string, most: number): boolean {
  // Every level has an opening and a closing bracket, or the text is cut off.
  if (text.length <= most) return false;
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = closingQuote(text, at);
    else if (code === 0x5b || code === 0x7b) {
      depth += 1;
      if (depth > most) return true;
    } else if (code === 0x5d || code === 0x7d) depth -= 1;
  }
  return false;
}

/** The index of the quote that ends the string which begins at `start`; the text's end where none does. */
function closingQuote(text: string, start: number): number {
  let at = text.indexOf('"', start + 1);
  while (at !== -1) {
    let slashes = 0;
    while (text.charCodeAt(at - 1 - slashes) === BACKSLASH) slashes += 1;
    if (slashes % 2 === 0) return at;
    at = text.indexOf('"', at + 1);
  }
  return text.length;
}

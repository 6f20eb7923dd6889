// Every letter of the key as it is, or as an escape with any number of backslashes before its `u`.
const spelled = (key: string): string =>
  Array.from(key)
    .map((letter) => {
      const hex = letter.charCodeAt(0).toString(16).padStart(4, "0");
      return `(?:${letter}|\\\\+u${hex.replace("f", "[fF]")})`;
    })
    .join("");

const key = `(?:${spelled("app_secret")}|${spelled("appSecret")})`;
const maybe = /ecret|\\u00[567]/;

// A value cut off by the end of the text is masked to the end, and so is one that is no string, number or word.
const plainSecret = new RegExp(
  String.raw`"(${key})"(\s*:\s*)(?:"(?:[^"\\]|\\[\s\S])*(?:"|\\?$)|[[{][\s\S]*|[^\s",}\]]+)`,
  "g",
);
// Inside a JSON string every quote has the same backslashes before it; one more level has more. .NET writes
// the quote itself as an escape.
const escapedSecret = new RegExp(
  String.raw`(?<!\\)(\\+(?:"|u0022))(${key})\1((?:\s|\\+[nrt])*:(?:\s|\\+[nrt])*)(?:\1[\s\S]*?(?:(?<!\\)\1|$)|[[{][\s\S]*|[^\s",}\]\\]+)`,
  "g",
);

/**
 * The text with `***` for what stands after `"app_secret":` or `"appSecret":`, also inside JSON inside JSON and
 * in a text that is no JSON (contract §1.8). The key may be written with escapes.
 */
export function maskAppSecrets(text: string, mark: string): string {
  if (!maybe.test(text)) return text;
  return text.replace(plainSecret, `"$1"$2"${mark}"`).replace(escapedSecret, `$1$2$1$3$1${mark}$1`);
}

/** Inline Markdown as a terminal shows it: bold without its stars, a link with the command that prints its page. */
export function shownInline(text: string): string {
  return text
    .replaceAll(/\*\*([^*]+)\*\*/g, "$1")
    .replaceAll(/\[([^\]]+)\]\(([^)]+)\)/g, (_, words: string, target: string) => linkText(words, target))
    .replaceAll("\\|", "|");
}

function linkText(words: string, target: string): string {
  if (/^https?:/.test(target)) return words === target ? words : `${words} (${target})`;
  const page = /^([a-z]+)\.md/.exec(target)?.[1];
  return page === undefined ? words : `${words} (hookline help page ${page})`;
}

/** Inline Markdown in lines of at most `width` characters, but for a word that is longer. */
export function wrapped(text: string, width: number, indent = ""): string[] {
  const lines: string[] = [];
  let line = "";
  // The spaces that a list's item begins with belong to its first word.
  const [first = "", ...words] = shownInline(text).match(/^ *\S+|\S+/g) ?? [];
  for (const word of [first, ...words]) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = `${indent}${word}`;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}

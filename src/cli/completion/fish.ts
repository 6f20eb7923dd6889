import { commandWords, type CommandFlag } from "../command-words.ts";
import type { CommandEntry } from "../commands.ts";

/** The completion for fish. */
export function fishCompletion(commands: readonly CommandEntry[]): string {
  const lines = commands.flatMap((entry) => commandLines(entry, commands));
  return `# hookline completion for fish. Put it into a folder of $fish_complete_path as hookline.fish.
function __hookline_words
  # The words before the one that is being written, without hookline itself.
  set -l words (commandline -opc)
  set -e words[1]
  string join \\n -- $words
end
function __hookline_is
  # True behind this command; with a number, only when so many words stand there.
  set -l words (__hookline_words)
  test "$words[1]" = "$argv[1]"; or return 1
  test (count $argv) -lt 2; or test (count $words) -eq $argv[2]
end
complete -c hookline -f
complete -c hookline -n 'test (count (__hookline_words)) -eq 0' -l help -d 'show the overview'
complete -c hookline -n 'test (count (__hookline_words)) -eq 0' -l version -d 'print the version'
${lines.join("\n")}
`;
}

function commandLines(entry: CommandEntry, commands: readonly CommandEntry[]): string[] {
  const { subcommands, flags, takesFile, takesCommand } = commandWords(entry);
  const here = `complete -c hookline -n '__hookline_is ${entry.name}'`;
  const first = `complete -c hookline -n '__hookline_is ${entry.name} 1'`;
  const lines = [
    `complete -c hookline -n 'test (count (__hookline_words)) -eq 0' -a ${entry.name} -d ${quote(entry.summary)}`,
    ...flags.map((flag) => `${here} ${flagWords(flag)}`),
    `${here} -l help -d 'show what it takes'`,
  ];
  if (subcommands.length > 0) lines.push(`${first} -a '${subcommands.join(" ")}'`);
  if (takesCommand) lines.push(`${first} -a '${commands.map(({ name }) => name).join(" ")}'`);
  if (takesFile) lines.push(`${here} -F`);
  return lines;
}

function flagWords({ name, value, text }: CommandFlag): string {
  const takes = value === null ? "" : value === "FILE" ? " -r -F" : " -x";
  return `-l ${name.slice(2)}${takes}${text === "" ? "" : ` -d ${quote(text)}`}`;
}

const quote = (text: string): string => `'${text.replaceAll(/['\\]/g, String.raw`\$&`)}'`;

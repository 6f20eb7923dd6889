import { commandWords, type CommandFlag } from "../command-words.ts";
import type { CommandEntry } from "../commands.ts";

/** The completion for zsh: a function for a folder of $fpath, or to be sourced after compinit. */
export function zshCompletion(commands: readonly CommandEntry[]): string {
  const described = commands.map(({ name, summary }) => `    ${quote(`${name}:${summary}`)}`).join("\n");
  return `#compdef hookline
# hookline completion for zsh. Put it into a folder of $fpath as _hookline.
_hookline() {
  local curcontext="$curcontext" state line
  local -a commands
  commands=(
${described}
  )
  _arguments -C '(- *)--help[show the overview]' '(- *)--version[print the version]' \\
    '1: :->command' '*:: :->arguments'
  case $state in
    command) _describe -t commands 'hookline command' commands ;;
    arguments)
      case $words[1] in
${commands.map((entry) => commandCase(entry, commands)).join("\n")}
      esac ;;
  esac
}
if [ "$funcstack[1]" = _hookline ]; then
  _hookline "$@"
else
  compdef _hookline hookline
fi
`;
}

function commandCase(entry: CommandEntry, commands: readonly CommandEntry[]): string {
  const { subcommands, flags, takesFile, takesCommand } = commandWords(entry);
  const specs = flags.map(flagSpec);
  specs.push(quote("--help[show what it takes]"));
  if (subcommands.length > 0) specs.push(quote(`1:subcommand:(${subcommands.join(" ")})`));
  if (takesCommand) specs.push(quote(`1:command:(${commands.map(({ name }) => name).join(" ")})`));
  if (takesFile) specs.push(quote("*:file:_files"));
  return `        ${entry.name}) _arguments ${specs.join(" ")} ;;`;
}

/** Every flag may be given again: for most the last one counts, and some add up. */
function flagSpec({ name, value, text }: CommandFlag): string {
  const explained = text === "" ? "" : `[${text.replaceAll(/[[\]\\]/g, String.raw`\$&`)}]`;
  if (value === null) return quote(`${name}${explained}`);
  return quote(`*${name}=${explained}:${value}:${value === "FILE" ? "_files" : ""}`);
}

const quote = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;

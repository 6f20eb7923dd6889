import { commandWords } from "../command-words.ts";
import type { CommandEntry } from "../commands.ts";

/** The completion for bash, 3.2 or newer; it needs no package of completions beside it. */
export function bashCompletion(commands: readonly CommandEntry[]): string {
  const names = commands.map(({ name }) => name).join(" ");
  return `# hookline completion for bash. Load it with: source <(hookline completion bash)
_hookline() {
  local IFS=$' \\t\\n' word before command files=no values=no flags='' words=''
  word=\${COMP_WORDS[COMP_CWORD]}
  before=\${COMP_WORDS[COMP_CWORD-1]}
  command=\${COMP_WORDS[1]}
  # Bash makes three words of --flag=value.
  if [ "$word" = '=' ]; then
    word=''
  elif [ "$before" = '=' ]; then
    before=\${COMP_WORDS[COMP_CWORD-2]}
  fi
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W '${names} --help --version' -- "$word"))
    return
  fi
  case "$command $before" in
${valueCases(commands)}
  esac
  if [ "$values" = no ]; then
    case "$command" in
${commands.map((entry) => commandCase(entry, commands)).join("\n")}
    esac
    case "$word" in
      -*) words=$flags files=no ;;
    esac
  fi
  if [ -n "$words" ]; then
    COMPREPLY=($(compgen -W "$words" -- "$word"))
  fi
  if [ "$files" = yes ]; then
    compopt -o filenames 2>/dev/null
    IFS=$'\\n'
    COMPREPLY=(\${COMPREPLY[@]+"\${COMPREPLY[@]}"} $(compgen -f -- "$word"))
  fi
}
complete -F _hookline hookline
`;
}

/** Behind a flag that takes a value nothing else is offered; files where the value is one. */
function valueCases(commands: readonly CommandEntry[]): string {
  const ofFiles: string[] = [];
  const ofOthers: string[] = [];
  for (const entry of commands) {
    for (const { name, value } of commandWords(entry).flags) {
      if (value !== null) (value === "FILE" ? ofFiles : ofOthers).push(`'${entry.name} ${name}'`);
    }
  }
  const clause = (patterns: readonly string[], what: string): string =>
    patterns.length === 0 ? "" : `    ${patterns.join(" | ")}) ${what} ;;`;
  return [clause(ofFiles, "values=yes files=yes"), clause(ofOthers, "values=yes")].filter(Boolean).join("\n");
}

function commandCase(entry: CommandEntry, commands: readonly CommandEntry[]): string {
  const { subcommands, flags, takesFile, takesCommand } = commandWords(entry);
  const first = [...subcommands, ...(takesCommand ? commands.map(({ name }) => name) : [])];
  const steps = [`flags='${[...flags.map(({ name }) => name), "--help"].join(" ")}'`];
  if (first.length > 0) steps.push(`[ "$COMP_CWORD" -eq 2 ] && words='${first.join(" ")}'`);
  if (takesFile) steps.push("files=yes");
  return `      ${entry.name}) ${steps.join("; ")} ;;`;
}

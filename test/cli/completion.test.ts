import { beforeAll, afterAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { commandWords } from "../../src/cli/command-words.ts";
import { commands } from "../../src/cli/commands.ts";
import { completions } from "../../src/cli/completion.ts";
import { UsageError } from "../../src/errors.ts";
import { runCommand } from "./command-io.ts";

/** A line that is being written, and what the shell must offer for its last word: all of it, in any order. */
const cases: readonly (readonly [string, readonly string[]])[] = [
  ["hookline ver", ["verify", "version"]],
  ["hookline config ", ["check", "print", "schema"]],
  ["hookline serve --c", ["--config"]],
  ["hookline dead re", ["redrive"]],
  ["hookline keys generate --e", ["--ed25519"]],
  ["hookline help lic", ["licenses"]],
  ["hookline help dead ", []],
  ["hookline completion f", ["fish"]],
  ["hookline serve --config jo", ["jobs one.json", "jobs.json"]],
  ["hookline enqueue webhooks jobs.", ["jobs.json"]],
  ["hookline health --url ", []],
];

let directory = "";
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "hookline-completion-"));
  writeFileSync(join(directory, "jobs.json"), "");
  writeFileSync(join(directory, "jobs one.json"), "");
  for (const [shell, write] of Object.entries(completions)) {
    writeFileSync(join(directory, `completion.${shell}`), write(commands));
  }
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function run(command: readonly string[], what: string): string {
  const [program = "", ...args] = command;
  const { status, stdout, stderr } = spawnSync(program, args, {
    cwd: directory,
    encoding: "utf8",
    timeout: 20_000,
    env: { PATH: process.env["PATH"], HOME: directory, TERM: "xterm", LC_ALL: "C.UTF-8" },
  });
  if (status !== 0 || stderr !== "") throw new Error(`${what}: exit ${status}\n${stdout}${stderr}`);
  return stdout;
}

const linesOf = (text: string): string[] => text.split("\n").filter((line) => line !== "");

describe("bash", () => {
  test("offers commands, subcommands, flags and files", () => {
    // The words as bash's line editor hands them over.
    const script = `source ./completion.bash
      while IFS= read -r line; do
        read -ra COMP_WORDS <<< "$line"
        [[ $line == *' ' ]] && COMP_WORDS+=('')
        COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
        _hookline
        printf '%s\\n' "\${COMPREPLY[@]}" @
      done <<< "$1"`;
    const output = run(
      ["bash", "--norc", "-c", script, "bash", cases.map(([line]) => line).join("\n")],
      "bash",
    );
    const offers = output.split("@\n").map(linesOf);
    for (const [index, [line, expected]] of cases.entries()) {
      expect({ line, offers: offers[index]?.toSorted() }).toEqual({ line, offers: [...expected].toSorted() });
    }
  });

  test("completes the value of --flag=VALUE, which it splits into three words", () => {
    const script = `source ./completion.bash
      COMP_WORDS=(hookline serve --config = jobs.) COMP_CWORD=4; _hookline; printf '%s\\n' "\${COMPREPLY[@]}"`;
    expect(linesOf(run(["bash", "--norc", "-c", script], "bash"))).toEqual(["jobs.json"]);
  });

  test("is loaded as the command's help says", () => {
    run(["bash", "--norc", "-c", "source <(cat completion.bash); complete -p hookline"], "bash");
  });
});

const isLong = process.env["HOOKLINE_LONG"] === "1";

describe.skipIf(!isLong)("zsh and fish (--long installs them)", () => {
  test("fish offers commands, subcommands, flags and files", () => {
    for (const [line, expected] of cases) {
      const script = `source ./completion.fish; complete -C ${JSON.stringify(line)}`;
      const words = linesOf(run(["fish", "--no-config", "-c", script], "fish")).map((offer) =>
        (offer.split("\t")[0] ?? "").replaceAll("\\ ", " "),
      );
      expect({ line, words: words.toSorted() }).toEqual({ line, words: [...expected].toSorted() });
    }
  });

  test("zsh completes a line that is typed on a terminal", () => {
    // Each is written with a tab behind it, and completed to what stands on the right.
    const typed: readonly (readonly [string, string])[] = [
      ["hookline conf\\tche\\t", "config check"],
      ["hookline serve --conf\\tjobs.\\t", "serve --config=jobs.json"],
      ["hookline keys gen\\t--ed\\t", "keys generate --ed25519"],
      ["hookline help lic\\t", "help licenses"],
      ["hookline completion z\\t", "completion zsh"],
      ["hookline enqueue webhooks jobs.\\t", "enqueue webhooks jobs.json"],
    ];
    const script = `zmodload zsh/zpty
      zpty shell zsh -f -i
      zpty -w shell 'autoload -Uz compinit; compinit -u -D; source ./completion.zsh'
      zpty -w shell 'bindkey "^I" complete-word; hookline() { print -r -- "[""\${(j: :)@}""]" }'
      ${typed.map(([keys]) => `zpty -w -n shell $'${keys}\\n'; zpty -r shell answer $'*\\n\\\\[*\\\\]*'; print -r -- "$answer"`).join("\n")}
      zpty -d shell`;
    const answers = [...run(["zsh", "-f", "-c", script], "zsh").matchAll(/^\[(.*)\]\r?$/gm)];
    expect(answers.map((match) => match[1])).toEqual(typed.map(([, expected]) => expected));
  });
});

test("no flag that is offered is unknown to its command", async () => {
  for (const entry of commands.filter(({ name }) => name !== "serve" && name !== "demo")) {
    const { flags, subcommands } = commandWords(entry);
    for (const { name } of flags) {
      // A flag that belongs to one of the subcommands is enough; a value that is missing is told as such.
      const attempts = subcommands.length === 0 ? [[name]] : subcommands.map((word) => [word, name]);
      // It would listen until a signal comes: a delay that is none makes it refuse what it knows.
      if (entry.name === "listen") attempts[0]!.push("--delay", "none");
      const refusals = await Promise.all(
        attempts.map((args) => runCommand(entry.name, args).then(String, (error: Error) => error.message)),
      );
      const isUnknown = refusals.every((text) => text.includes(`unknown option ${name}`));
      expect({ command: entry.name, name, isUnknown }).toEqual({
        command: entry.name,
        name,
        isUnknown: false,
      });
    }
  }
});

test("a shell that is not known is refused with the one that was meant", async () => {
  const refusal = await runCommand("completion", ["bsh"]).catch((error: unknown) => error);
  expect(refusal).toBeInstanceOf(UsageError);
  expect(String(refusal)).toContain('no shell "bsh" (did you mean "bash"?)');
});

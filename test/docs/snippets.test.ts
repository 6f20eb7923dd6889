import { expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { configSchema } from "../../src/config/schema.ts";
import { objectNode } from "../../src/config/schema-tree.ts";
import { commandWords } from "../../src/cli/command-words.ts";
import { commandNames, findCommand } from "../../src/cli/commands.ts";
import { findTopic } from "../../src/docs/topics.ts";
import { issuesOf } from "../config/support.ts";
import { blocksOf, proseOf, readPages } from "./pages.ts";

const pages = readPages();
// What is made from the API's document is sent to a server by test/e2e.
const blocks = pages.filter(({ name }) => name !== "api").flatMap(blocksOf);
const ofLanguage = (language: string): typeof blocks => blocks.filter((one) => one.language === language);
const topKeys = Object.keys(objectNode(configSchema)?.entries ?? {});

/** Languages of which every block is run or checked, here or in receivers.test.ts. */
const known = ["sh", "json", "yaml", "mermaid", "js", "ts", "php", "python", "ruby", "go"];

test("each block of code is of a language that a test checks", () => {
  const others = blocks.filter(({ language }) => !known.includes(language));
  expect(others.map(({ path, line, language }) => `${path}:${line}: ${language}`)).toEqual([]);
});

test("each JSON block is JSON, and a configuration is one that hookline takes", async () => {
  const faults: string[] = [];
  for (const { path, line, code } of ofLanguage("json")) {
    let value: Record<string, unknown>;
    try {
      value = JSON.parse(code) as Record<string, unknown>;
    } catch (error) {
      faults.push(`${path}:${line}: ${String(error)}`);
      continue;
    }
    const isConfig = Object.keys(value).every((key) => topKeys.includes(key));
    const webhook = { id: "shop", key: "shop-key", secret: "change-me", webhooks: [value] };
    const config = isConfig ? value : "url" in value ? { apps: [webhook] } : {};
    faults.push(...(await issuesOf(config)).map((issue) => `${path}:${line}: ${issue}`));
  }
  expect(faults).toEqual([]);
});

test("each YAML block is YAML", () => {
  for (const { code } of ofLanguage("yaml")) expect(Bun.YAML.parse(code)).toBeObject();
});

test("each block for a shell is one that a shell reads", () => {
  for (const { path, line, code } of ofLanguage("sh")) {
    const { stderr } = spawnSync("bash", ["-n"], { input: code, encoding: "utf8" });
    expect(`${path}:${line}: ${stderr}`).toBe(`${path}:${line}: `);
  }
});

/** Everything that is typed: lines of blocks for a shell, and commands within the text. */
function commandLines(): { readonly place: string; readonly words: readonly string[] }[] {
  const shell = ofLanguage("sh").flatMap(({ path, line, code }) =>
    code
      .replaceAll(/\\\n/g, " ")
      .split(/\n|&&|\|\|?|;|\$\(/)
      .map((text) => ({ place: `${path}:${line}`, text })),
  );
  // Messages of the log begin with the name, too.
  const inline = pages
    .filter(({ name }) => name !== "messages")
    .flatMap((page) =>
      [...proseOf(page).matchAll(/`((?:[A-Z_]+=\S+ )*hookline [^`]+)`/g)].map(([, text = ""]) => ({
        place: page.path,
        text,
      })),
    );
  return [...shell, ...inline].flatMap(({ place, text }) => {
    const typed = /(?:^|\s)hookline ([a-z].*)$/.exec(text.replace(/\s#.*$/, "").trim())?.[1];
    return typed === undefined || /podman|docker/.test(text)
      ? []
      : [{ place, words: typed.trim().split(/\s+/) }];
  });
}

test("each command of hookline that a page tells is there, with its subcommand and its flags", () => {
  const lines = commandLines();
  expect(lines.length).toBeGreaterThan(20);
  const faults: string[] = [];
  for (const { place, words } of lines) {
    const [name = "", ...rest] = words;
    const say = (what: string): number => faults.push(`${place}: hookline ${words.join(" ")}: ${what}`);
    const entry = findCommand(name);
    if (entry === undefined) {
      say(`no command ${name}; there are ${commandNames.join(", ")}`);
      continue;
    }
    const { subcommands, flags } = commandWords(entry);
    const [first] = rest;
    if (subcommands.length > 0 && first !== undefined && /^[a-z]/.test(first)) {
      for (const one of first.split("|")) if (!subcommands.includes(one)) say(`no subcommand ${one}`);
    }
    for (const word of rest) {
      const flag = /^\[?(--[a-z-]+)/.exec(word)?.[1];
      if (flag !== undefined && !flags.some((one) => one.name === flag)) say(`no flag ${flag}`);
    }
    if (name === "help" && first === "page" && rest[1] !== undefined && /^[a-z]/.test(rest[1])) {
      if (findTopic(rest[1]) === undefined) say(`no page ${rest[1]}`);
    }
  }
  expect(faults).toEqual([]);
});

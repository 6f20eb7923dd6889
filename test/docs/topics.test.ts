import { expect, test } from "bun:test";
import { terminalPage } from "../../src/docs/terminal-page.ts";
import { topics } from "../../src/docs/topics.ts";
import { startAdmin } from "../admin/start-admin.ts";
import { runCommand } from "../cli/command-io.ts";
import { readPages } from "./pages.ts";

const pages = readPages().filter(({ name }) => name !== "");

test("each page of docs/ is a topic, and the executable has its text (src/docs/topics.ts)", async () => {
  const loaded = await Promise.all(
    topics.map(async (topic) => ({ name: topic.name, text: await topic.load() })),
  );
  expect(loaded.map(({ name }) => name).sort()).toEqual(pages.map(({ name }) => name).sort());
  for (const { name, text } of pages) expect(loaded.find((one) => one.name === name)?.text).toBe(text);
});

test("hookline help page prints a page as Markdown to a pipe, and lists them all without a name", async () => {
  const list = await runCommand("help", ["page"]);
  for (const { name, question } of topics)
    expect(list.stdout).toMatch(new RegExp(`^  ${name} +${question}$`, "m"));
  const [page] = pages;
  expect((await runCommand("help", ["page", page?.name ?? ""])).stdout).toBe(page?.text ?? "");
});

test("hookline help TOPIC prints the page where no command has the name; else the command says where it is", async () => {
  expect((await runCommand("help", ["redis"])).stdout).toStartWith("# Redis\n");
  expect((await runCommand("help", ["sqs"])).stdout).toContain("hookline help page sqs");
  expect((await runCommand("help", ["page", "sqs"])).stdout).toStartWith("# SQS\n");
});

test("a topic that is not there is suggested or listed", async () => {
  expect(runCommand("help", ["recievers"])).rejects.toThrow('did you mean "receivers"?');
  expect(runCommand("help", ["page", "recievers"])).rejects.toThrow('did you mean "receivers"?');
  expect(runCommand("help", ["page", "xyz"])).rejects.toThrow(/the pages are concepts, configuration, /);
});

test("on a terminal every line of text fits, and code stays as it is", () => {
  for (const { path, text } of pages) {
    const shown = terminalPage(text, 80).split("\n");
    const tooLong = shown.filter(
      (line) => line.length > 80 && !line.startsWith("    ") && / \S+ /.test(line),
    );
    expect({ path, tooLong }).toEqual({ path, tooLong: [] });
    for (const [, code = ""] of text.matchAll(/^```\w*\n(.*?)^```$/gms)) {
      const indented = code
        .trimEnd()
        .split("\n")
        .map((line) => `    ${line}`.trimEnd());
      expect(shown.join("\n")).toContain(indented.join("\n"));
    }
  }
});

test("a page on a terminal: headings, lists, links, tables narrow and wide", () => {
  const page = [
    "# Redis",
    "",
    "One **bold** word, `code`,",
    "and [a link](sqs.md#x).",
    "",
    "- one item that goes on for",
    "  a while",
    "",
    "| a | b |",
    "|---|---|",
    "| 1 | 2 \\| 3 |",
    "",
    "| key | meaning |",
    "|---|---|",
    "| `port` | a number that takes more room than the line has |",
  ].join("\n");
  expect(terminalPage(page, 30)).toBe(
    [
      "Redis",
      "=====",
      "",
      "One bold word, `code`, and a",
      "link (hookline help page sqs).",
      "",
      "- one item that goes on for a",
      "  while",
      "",
      "a  b",
      "1  2 | 3",
      "",
      "`port`",
      "    a number that takes more",
      "    room than the line has",
      "",
      "",
    ].join("\n"),
  );
});

test("GET /docs lists the pages, GET /docs/{topic} answers one as Markdown, without a token", async () => {
  const admin = await startAdmin();
  try {
    const plain = { headers: { authorization: "" } };
    const list = (await (await admin.request("/docs", plain)).json()) as { name: string }[];
    expect(list.map(({ name }) => name)).toEqual(topics.map(({ name }) => name));
    const answer = await admin.request("/docs/redis", plain);
    expect(answer.headers.get("content-type")).toBe("text/markdown; charset=utf-8");
    expect(await answer.text()).toStartWith("# Redis\n");
    const missing = await admin.request("/docs/rediss", plain);
    expect(missing.status).toBe(404);
    expect(await missing.json()).toMatchObject({
      code: "not_found",
      detail: expect.stringContaining('"redis"'),
    });
  } finally {
    await admin.stop();
  }
});

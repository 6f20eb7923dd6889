import { terminalPage } from "../docs/terminal-page.ts";
import { findTopic, topicNames, topics } from "../docs/topics.ts";
import { UsageError } from "../errors.ts";
import { didYouMean } from "../suggest.ts";
import type { CommandIo } from "./command.ts";

/**
 * `hookline help [page] TOPIC`: a page of docs/, laid out on a terminal, as Markdown to a file or a pipe. Without a
 * topic: the list of them.
 */
export async function printPage(name: string | undefined, { stdout }: CommandIo): Promise<number> {
  if (name === undefined) {
    stdout.write(topicList());
    return 0;
  }
  const topic = findTopic(name);
  if (topic === undefined) {
    const hint = didYouMean(name, topicNames) || `; the pages are ${topicNames.join(", ")}`;
    throw new UsageError(`no page "${name}"${hint}`);
  }
  const text = await topic.load();
  stdout.writeData(stdout.isTerminal ? terminalPage(text, stdout.columns) : text);
  return 0;
}

function topicList(): string {
  const width = Math.max(...topicNames.map((name) => name.length));
  return [
    "The pages, each by hookline help page TOPIC:",
    "",
    ...topics.map(({ name, question }) => `  ${name.padEnd(width)}  ${question}`),
    "",
  ].join("\n");
}

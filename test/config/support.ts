import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfig, type LoadedConfig } from "../../src/config/load.ts";
import { ConfigError, formatConfigIssue } from "../../src/errors.ts";

/** What a test gives beside the file. */
export interface Given {
  readonly env?: Record<string, string>;
  readonly sets?: readonly string[];
  readonly queues?: readonly string[];
  readonly isTerminal?: boolean;
}

/** Runs with an empty directory that is gone afterwards. */
export async function inDirectory<T>(run: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), "hookline-config-"));
  try {
    return await run(directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** Loads a configuration whose file (hookline.json) holds this text or object; null = no file. */
export function load(file: unknown, given: Given = {}): Promise<LoadedConfig> {
  return inDirectory(async (cwd) => {
    const text = typeof file === "string" ? file : JSON.stringify(file);
    if (file !== null) await writeFile(join(cwd, "hookline.json"), text);
    return loadConfig({
      args: { sets: given.sets ?? [], queues: given.queues ?? [] },
      env: given.env ?? {},
      cwd,
      isTerminal: given.isTerminal ?? false,
    });
  });
}

/** The issues of a configuration that cannot be used, each as a line. */
export async function issuesOf(file: unknown, given: Given = {}): Promise<string[]> {
  try {
    await load(file, given);
  } catch (error) {
    if (error instanceof ConfigError) return error.issues.map(formatConfigIssue);
    throw error;
  }
  return [];
}

/** An app that is right, with other values over it. */
export function app(over: Record<string, unknown> = {}): Record<string, unknown> {
  return { id: "app-1", key: "app-key-1", secret: "app-secret-1", ...over };
}

/** An app with one webhook that is right, with other values over it. */
export function appWith(webhook: Record<string, unknown>): Record<string, unknown> {
  return app({
    webhooks: [{ url: "https://receiver.test/hook", event_types: ["channel_occupied"], ...webhook }],
  });
}

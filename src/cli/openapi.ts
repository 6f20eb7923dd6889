import { createHookline } from "../app.ts";
import { loadDefaults } from "../config/load.ts";
import { parseArguments } from "./arguments.ts";
import type { RunCommand } from "./command.ts";

/** `hookline openapi`: what the HTTP API of this version takes and answers, as OpenAPI 3.1. Asks no server. */
export const openapi: RunCommand = async (args, io) => {
  parseArguments(args, {});
  // Nothing runs, and what a server would say of its configuration is no answer here.
  const hookline = await createHookline({ loaded: loadDefaults(), write: () => undefined });
  const document: unknown = JSON.parse(await hookline.openApi());
  io.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
  await hookline.stop({ now: true });
  return 0;
};

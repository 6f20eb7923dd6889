import * as v from "valibot";
import { configSchema } from "../../src/config/schema.ts";
import type { ConfigInput } from "../../src/config/schema.ts";
import { createDirectory } from "../../src/delivery/directory.ts";
import type { Directory } from "../../src/delivery/endpoint.ts";

/** The directory of a configuration as a user writes it. */
export function compile(input: ConfigInput): Directory {
  return createDirectory(v.parse(configSchema, input));
}

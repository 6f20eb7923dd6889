/** Opens the store at argv[2] and prints its counts, on Bun and Deno; a refusal goes to stderr. */
import process from "node:process";
import { fileDriver } from "./file-driver.ts";

const driver = fileDriver(process.argv[2] ?? "");
await driver.open(new AbortController().signal);
console.log(JSON.stringify(await driver.stats("q")));
await driver.close();

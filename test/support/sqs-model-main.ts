import { createSqsModel } from "./sqs-model.ts";

/**
 * The model as a process of its own: `bun test/support/sqs-model-main.ts --port 0 --queue a --queue b.fifo`.
 *
 * Prints one line `{"endpoint":"http://127.0.0.1:PORT"}` when it listens; ends at SIGTERM.
 */
const values = (name: string): string[] =>
  process.argv.flatMap((argument, index) => (argument === name ? [process.argv[index + 1] ?? ""] : []));

const model = createSqsModel({ port: Number(values("--port")[0] ?? 0) });
for (const name of values("--queue")) {
  model.create(name, name.endsWith(".fifo") ? { FifoQueue: "true", ContentBasedDeduplication: "true" } : {});
}
process.on("SIGTERM", () => process.exit(0));
console.log(JSON.stringify({ endpoint: model.endpoint }));

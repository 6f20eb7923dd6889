import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createApiCheck, type ApiCheck, type ApiDocument, type Operation } from "../support/api-check.ts";
import { runExecutable, startExecutable, token, type Executable } from "../support/executable.ts";
import { answer, startReceiver, type Receiver } from "../support/receiver.ts";
import { until } from "../support/until.ts";
import { configFor } from "./scenario.ts";

/** Issue "Find it, send it again, be told", part 5: /openapi.json is true of a running server. */

let receiver: Receiver;
let server: Executable;
let document: ApiDocument;
let check: ApiCheck;

beforeAll(async () => {
  receiver = await startReceiver({ behaviour: answer(404) });
  const orders = { name: "orders", url: `${receiver.url}/orders`, event_types: ["order_paid"] };
  server = await startExecutable(
    configFor([orders], {
      endpoints: { refusing: { url: `${receiver.url}/refusing` } },
      supervisor: { allow_crash: true, max_restarts: 100 },
      queue: { driver: "memory", reliability: { shutdown_timeout_ms: 1000 } },
    }),
  );
  document = (await server.api("GET", "/openapi.json")).body as ApiDocument;
  check = createApiCheck(document);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await receiver.close();
});

/** What a path's parameter is in this run, where the example's value names nothing here. */
type Places = Readonly<Record<string, string>>;

/** Brings about what the examples speak of. */
async function prepare(): Promise<void> {
  const webhook = { name: "orders", url: `${receiver.url}/orders`, event_types: ["order.*"] };
  const bookshop = { key: "bookshop-key", secret: "change-me", webhooks: [webhook] };
  expect((await server.api("PUT", "/v1/apps/bookshop", bookshop)).status).toBeLessThan(300);
  const billing = { url: `${receiver.url}/billing` };
  expect((await server.api("PUT", "/v1/endpoints/-/billing", billing)).status).toBeLessThan(300);
  for (const one of ["shop/orders", "-/refusing"]) {
    expect((await server.api("POST", `/v1/endpoints/${one}/enable`)).status).toBe(200);
  }
}

/** A dead letter, made for this one question. */
async function deadLetter(): Promise<string> {
  const job = { type: "order_paid", data: 1, endpoint: "refusing" };
  const { jobs } = await server.enqueue("webhooks", job);
  const letters = async (): Promise<string | undefined> =>
    (
      (await server.api("GET", "/v1/queues/webhooks/dead?limit=1000")).body.items as {
        id: string;
        job: { id: string };
      }[]
    ).find((one) => one.job.id === jobs[0]?.id)?.id;
  return until(letters, { what: "the job's dead letter" });
}

async function delivery(): Promise<string> {
  await deadLetter();
  return (await server.api("GET", "/v1/deliveries?endpoint=refusing")).body.items[0].id as string;
}

async function operation(): Promise<string> {
  const redrive = { all: true, dry_run: true };
  return (await server.api("POST", "/v1/queues/webhooks/dead/redrive", redrive)).body.id as string;
}

async function runningLoop(): Promise<void> {
  await until(
    async () => {
      const { workers } = (await server.api("GET", "/v1/workers")).body as {
        workers: { id: string; state: string }[];
      };
      return workers.find(({ id }) => id === "webhooks/loop-1")?.state === "running";
    },
    { what: "the loop to run" },
  );
}

/** Operations whose example needs more than `prepare`: what there must be, and what the path names then. */
const needs: Readonly<Record<string, () => Promise<Places | void>>> = {
  getOperation: async () => ({ id: await operation() }),
  stopOperation: async () => ({ id: await operation() }),
  removeDeadLetter: async () => ({ id: await deadLetter() }),
  getDelivery: async () => ({ id: await delivery() }),
  resendDelivery: async () => ({ id: await delivery() }),
  restartWorker: runningLoop,
  restartWorkerById: runningLoop,
  crashWorker: runningLoop,
  crashWorkerById: runningLoop,
  stallWorker: runningLoop,
  stallWorkerById: runningLoop,
};

/** Operations that answer with an error here, and with which: all else is answered as its example says. */
const refusals: Readonly<Record<string, string>> = {
  listProcesses: "unsupported_by_driver",
  // The executable holds the page's modules as one file; from the source they are in folders.
  getPageFolderFile: "not_found",
};

const operations = (): { method: string; path: string; operation: Operation }[] =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );

function targetOf(path: string, { parameters = [] }: Operation, places: Places): string {
  const query = new URLSearchParams();
  for (const one of parameters) {
    if (one.in === "query" && one.example !== undefined) query.set(one.name, one.example);
  }
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const example = parameters.find((one) => one.in === "path" && one.name === name)?.example;
    return encodeURIComponent(places[name] ?? example ?? name);
  });
  return query.size === 0 ? filled : `${filled}?${query.toString()}`;
}

describe("/openapi.json and a running server", () => {
  test("each operation's example is answered as the document says", async () => {
    const wrong: string[] = [];
    for (const { method, path, operation } of operations()) {
      await prepare();
      const places = (await needs[operation.operationId]?.()) ?? {};
      const target = targetOf(path, operation, places);
      const body = Object.values(operation.requestBody?.content ?? {})[0]?.example;
      const headers = Object.fromEntries(
        (operation.parameters ?? []).flatMap((one) =>
          one.in === "header" && one.example !== undefined ? [[one.name, one.example]] : [],
        ),
      );
      const seen = await server.api(method, target, body, headers);
      const violations = check.violations({
        method,
        target,
        status: seen.status,
        headers: Object.fromEntries(seen.headers),
        body: seen.text === "" ? null : seen.text,
      });
      wrong.push(...violations);
      const code = seen.status >= 400 ? (seen.body as { code: string }).code : undefined;
      if (code !== refusals[operation.operationId]) {
        wrong.push(
          `${operation.operationId}: ${method} ${target} → ${seen.status} ${seen.text.slice(0, 300)}`,
        );
      }
    }
    expect(wrong).toEqual([]);
  }, 120_000);

  test("`hookline openapi` prints the same without a server", async () => {
    const { code, stdout } = await runExecutable(["openapi"]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual(document);
  });

  test("a generated client compiles, enqueues, lists and redrives", async () => {
    const root = join(import.meta.dirname, "../..");
    const folder = join(root, "dist/api-client");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "openapi.json"), JSON.stringify(document));
    copyFileSync(join(root, "test/fixtures/api-client/client.ts"), join(folder, "client.ts"));
    writeFileSync(
      join(folder, "tsconfig.json"),
      JSON.stringify({ extends: "../../tsconfig.json", files: ["client.ts"], include: [] }),
    );
    const types = join(root, "test/support/api-client-types.ts");
    await run(folder, [process.execPath, types, "openapi.json", "api.d.ts"]);
    await run(folder, [join(root, "node_modules/.bin/tsc"), "--noEmit", "-p", "."]);
    const printed = await run(folder, [process.execPath, "client.ts", server.url, token]);
    expect(JSON.parse(printed)).toEqual({
      enqueued: [{ id: "client-1", status: "enqueued" }],
      redriven: 1,
      isUnknown: true,
    });
  }, 120_000);
});

/** Runs a program to its end; gives what it printed, or fails with all of that. */
async function run(cwd: string, command: string[]): Promise<string> {
  const child = Bun.spawn(command, { cwd, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (code !== 0) throw new Error(`${command.join(" ")} ended with ${code}:\n${stdout}${stderr}`);
  return stdout;
}

/**
 * Counts the calls of hookline's own functions that one job costs, on two ways: from the request's first
 * byte to the call of driver.enqueue, and from the end of driver.lease to the call of driver.settle.
 *
 * usage: scripts/calls [--list] [--source=FOLDER]
 * --list prints each function of both ways in the order of its first call, with how often it was called.
 * --source counts another checkout's src (its packages must be installed).
 *
 * It works on a copy: every function of src gets a counter at its head, the copy runs with the memory
 * driver, one app and one webhook, and the fourth job is counted, after three that warm caches and
 * connections up. The receiver and the producer are native code and count nothing.
 */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { parseSync, Visitor } from "oxc-parser";

const { values } = parseArgs({
  options: {
    list: { type: "boolean", default: false },
    source: { type: "string", default: join(import.meta.dir, "..", "src") },
    /** Set by itself: the copy that this process runs. */
    copy: { type: "string" },
  },
});

/** What the counters at the functions' heads write to; see `head` below. */
interface Counter {
  /** Function numbers in the order of their calls; null while nothing is counted. */
  calls: number[] | null;
}

interface Way {
  readonly calls: readonly number[];
}

/** Functions of the copy by their number: "file name". */
type Names = readonly string[];

/** The offsets at which a function of this source begins its body, with the function's name. */
function functionHeads(
  file: string,
  source: string,
): { at: number; name: string; isExpression: boolean; end: number }[] {
  const { program, errors } = parseSync(file, source);
  if (errors.length > 0) throw new Error(`${file}: ${errors[0]?.message}`);
  const heads: { at: number; name: string; isExpression: boolean; end: number }[] = [];
  const names = new Map<unknown, string>();
  type Named = { type: string; name?: string; value?: unknown };
  const nameOf = (key: Named): string => key.name ?? (typeof key.value === "string" ? key.value : "?");
  const add = (node: {
    id?: Named | null;
    body: { start: number; end: number; type: string } | null;
  }): void => {
    const { body } = node;
    if (body === null) return;
    const name = node.id?.name ?? names.get(node) ?? "(anonymous)";
    const isExpression = body.type !== "BlockStatement" && body.type !== "FunctionBody";
    heads.push({ at: isExpression ? body.start : body.start + 1, name, isExpression, end: body.end });
  };
  new Visitor({
    VariableDeclarator: (node) => {
      if (node.init !== null && node.id.type === "Identifier") names.set(node.init, node.id.name);
    },
    Property: (node) => void names.set(node.value, nameOf(node.key as Named)),
    MethodDefinition: (node) => void names.set(node.value, nameOf(node.key as Named)),
    FunctionDeclaration: (node) => add(node),
    FunctionExpression: (node) => add(node),
    ArrowFunctionExpression: (node) => add(node),
  }).visit(program);
  return heads;
}

/** Writes the counters into every file of the copy; answers the functions' names by number. */
function instrument(copy: string): Names {
  const names: string[] = [];
  const files = readdirSync(copy, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => join(entry.parentPath, entry.name));
  for (const file of files) {
    const source = readFileSync(file, "utf8");
    const inserts: { at: number; text: string }[] = [];
    for (const { at, name, isExpression, end } of functionHeads(file, source)) {
      const head = `globalThis.hooklineCalls.calls?.push(${names.length})`;
      names.push(`${relative(copy, file)} ${name}`);
      if (isExpression) inserts.push({ at, text: `(${head}, ` }, { at: end, text: ")" });
      else inserts.push({ at, text: `${head};` });
    }
    // From the end to the start; where two stand at one place, the one that was found later goes inside.
    inserts.sort((a, b) => b.at - a.at);
    let text = source;
    for (const insert of inserts) text = text.slice(0, insert.at) + insert.text + text.slice(insert.at);
    if (file.endsWith("/app.ts") && relative(copy, file) === "app.ts") text = wrapDriver(text);
    writeFileSync(file, text);
  }
  return names;
}

/** The composition root of the copy hands its driver to this script first. */
function wrapDriver(text: string): string {
  const wrapped = text.replace(/await createDriver\(/, "await globalThis.hooklineDriver(createDriver, ");
  if (wrapped === text)
    throw new Error("src/app.ts does not call createDriver any more: mend scripts/calls.ts");
  return wrapped;
}

/** Runs the copy, four jobs through it, and answers both ways of the last. */
async function countOnce(copy: string, counter: Counter): Promise<{ enqueue: Way; deliver: Way }> {
  let enqueue: Way | null = null;
  let delivered = Promise.withResolvers<Way>();
  let answered = Promise.withResolvers<void>();
  type Call = (...args: unknown[]) => Promise<unknown>;
  const wrap = (driver: Record<string, Call>): unknown =>
    new Proxy(driver, {
      get(target, key: string) {
        const real = target[key];
        if (key === "enqueue") {
          return (...args: unknown[]) => {
            enqueue ??= { calls: counter.calls ?? [] };
            counter.calls = null;
            return real?.apply(target, args);
          };
        }
        if (key === "lease") {
          return async (...args: unknown[]) => {
            const leases = (await real?.apply(target, args)) as unknown[];
            if (leases.length > 0) {
              // The answer to the producer is not part of this way.
              await answered.promise;
              counter.calls = [];
            }
            return leases;
          };
        }
        if (key === "settle") {
          return (...args: unknown[]) => {
            const { calls } = counter;
            counter.calls = null;
            if (calls !== null) delivered.resolve({ calls });
            return real?.apply(target, args);
          };
        }
        return typeof real === "function" ? real.bind(target) : real;
      },
    });
  (globalThis as Record<string, unknown>)["hooklineDriver"] = async (create: Call, ...args: unknown[]) =>
    wrap((await create(...args)) as Record<string, Call>);

  using receiver = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: () => new Response(null, { status: 204 }),
  });
  const { loadConfig } = await import(join(copy, "config", "load.ts"));
  const { createHookline } = await import(join(copy, "app.ts"));
  const config = {
    server: { port: await freePort() },
    log: { level: "error" },
    apps: [
      {
        id: "shop",
        key: "shop-key",
        secret: "a-secret-of-this-count",
        webhooks: [
          { name: "orders", url: `http://127.0.0.1:${receiver.port}/hook`, event_types: ["member_added"] },
        ],
      },
    ],
  };
  const file = join(copy, "..", "hookline.json");
  writeFileSync(file, JSON.stringify(config));
  const loaded = await loadConfig({ args: { config: file, sets: [], queues: [] }, env: {}, cwd: copy });
  const hookline = await createHookline({ loaded, write: () => {} });
  const { url } = await hookline.start();
  const post = async (): Promise<void> => {
    const answer = await fetch(`${url}/v1/queues/webhooks/jobs`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        app_id: "shop",
        app_key: "shop-key",
        payload: { time_ms: Date.now(), events: [{ name: "member_added", channel: "presence-a" }] },
      }),
    });
    if (answer.status !== 202) throw new Error(`answered ${answer.status}: ${await answer.text()}`);
    await answer.text();
  };
  try {
    for (let job = 1; job <= 4; job += 1) {
      enqueue = null;
      delivered = Promise.withResolvers<Way>();
      answered = Promise.withResolvers<void>();
      // Timers of the job before have run out.
      await Bun.sleep(50);
      counter.calls = [];
      await post();
      answered.resolve();
      await delivered.promise;
    }
    return { enqueue: enqueue ?? { calls: [] }, deliver: await delivered.promise };
  } finally {
    await hookline.stop();
  }
}

async function freePort(): Promise<number> {
  using server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() });
  return server.port as number;
}

function print(title: string, { calls }: Way, names: Names): void {
  const functions = new Map<number, number>();
  for (const call of calls) functions.set(call, (functions.get(call) ?? 0) + 1);
  const fileOf = (call: number): string => (names[call] ?? "").split(" ")[0] ?? "";
  const files = new Set([...functions.keys()].map(fileOf));
  const scheduling = calls.filter((call) => isScheduling(fileOf(call))).length;
  console.log(
    `${title}: ${calls.length} calls of ${functions.size} functions in ${files.size} files` +
      (scheduling === 0 ? "" : `, ${scheduling} of the calls scheduling`),
  );
  if (!values.list) return;
  for (const [call, times] of functions) console.log(`${String(times).padStart(6)}  ${names[call]}`);
}

/** Files that decide who starts when, in this house and in the first. */
function isScheduling(file: string): boolean {
  return (
    file.startsWith("worker/schedule/") ||
    /^worker\/(lanes?|turns|room|pace|supply|permits|group-slots|waiters|gates?|endpoint-gate)\.ts$/.test(
      file,
    ) ||
    /^(endpoints\/(state|registry)|delivery\/(breaker|rate-limit)|endpoints\/(breaker|rate-limit))\.ts$/.test(
      file,
    )
  );
}

/** Runs in the process that works on the copy. */
async function runCopy(copy: string): Promise<void> {
  const names = JSON.parse(readFileSync(join(copy, "..", "names.json"), "utf8")) as Names;
  const counter: Counter = { calls: null };
  (globalThis as Record<string, unknown>)["hooklineCalls"] = counter;
  const { enqueue, deliver } = await countOnce(copy, counter);
  print("socket → driver.enqueue", enqueue, names);
  print("lease → settle", deliver, names);
}

if (values.copy !== undefined) {
  await runCopy(values.copy);
  process.exit(0);
}
const source = resolve(values.source);
const folder = mkdtempSync(join(tmpdir(), "hookline-calls-"));
try {
  const copy = join(folder, "src");
  cpSync(source, copy, { recursive: true });
  for (const name of ["package.json", "tsconfig.json"]) cpSync(join(source, "..", name), join(folder, name));
  symlinkSync(join(source, "..", "node_modules"), join(folder, "node_modules"));
  writeFileSync(join(folder, "names.json"), JSON.stringify(instrument(copy)));
  const child = Bun.spawn(
    [process.execPath, import.meta.path, `--copy=${copy}`, ...(values.list ? ["--list"] : [])],
    {
      stdout: "inherit",
      stderr: "inherit",
    },
  );
  process.exitCode = await child.exited;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

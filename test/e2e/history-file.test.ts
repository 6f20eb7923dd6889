import { Database } from "bun:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runExecutable, startExecutable, type Executable } from "../support/executable.ts";
import { answer, startReceiver, type Receiver } from "../support/receiver.ts";
import { until } from "../support/until.ts";
import { app, configFor, jobNumber, jobsFrom } from "./scenario.ts";

/** Issue "Find it, send it again, be told", part 3: the history in a SQLite file, with the executable. */

const folder = mkdtempSync(join(tmpdir(), "hookline-history-"));
let receiver: Receiver;
let files = 0;

beforeAll(async () => {
  receiver = await startReceiver({ behaviour: answer(200) });
});
afterAll(async () => {
  await receiver.close();
  rmSync(folder, { recursive: true, force: true });
});

function newPath(): string {
  files += 1;
  return join(folder, `history-${files}.db`);
}
const configOf = (path: string, history: object = {}): object =>
  configFor([{ name: "orders", url: `${receiver.url}/orders` }], { history: { path, ...history } });

interface Item {
  readonly id: string;
  readonly job_id: string;
  readonly state: string;
  readonly resend_of: string | null;
}

async function listed(server: Executable, query: string, count: number): Promise<Item[]> {
  return until(
    async () => {
      const { status, body } = await server.api("GET", `/v1/deliveries${query}`);
      expect(status).toBe(200);
      const { items } = body as { items: Item[] };
      return items.length === count ? items : null;
    },
    { what: `${count} deliveries for ${query}` },
  );
}

describe("history.path", () => {
  test("what was delivered before a restart is listed, shown and sent again; sqlite3 reads it meanwhile", async () => {
    const path = newPath();
    const first = await startExecutable(configOf(path));
    await first.enqueue("webhooks", { ...jobNumber(1, "kept"), app_secret: app.secret });
    await first.enqueue("webhooks", jobsFrom(2, 40, "more"));
    const before = await listed(first, "?limit=100", 41);
    // A batch that waits is written when the process ends.
    await first.enqueue("webhooks", jobNumber(42, "last"));
    await first.untilIdle();
    expect(await first.stop()).toBe(0);
    expect(statSync(path).mode & 0o777).toBe(0o600);

    await using second = await startExecutable(configOf(path));
    const after = await listed(second, "?limit=100", 42);
    expect(after.slice(1)).toEqual(before);
    const [item] = await listed(second, "?job_id=kept-1&endpoint=shop/orders&status=2xx&since=-1h", 1);
    const shown = await second.api("GET", `/v1/deliveries/${item?.id}`);
    expect(shown.body).toMatchObject({ job_id: "kept-1", state: "delivered", body_kept: true });
    const story = await second.api("GET", "/v1/jobs/kept-1");
    expect(story.body).toMatchObject({ state: "delivered", deliveries: [{ id: item?.id }] });

    const seen = receiver.requests.length;
    const sent = await second.api("POST", `/v1/deliveries/${item?.id}/resend`, {});
    expect([sent.status, sent.body.resend_of]).toEqual([202, item?.id]);
    const [again] = await listed(second, `?job_id=${sent.body.job_id}`, 1);
    expect(again?.resend_of).toBe(item?.id as string);
    const repeats = receiver.requests.slice(seen).map(({ text }) => text);
    const original = receiver.requests.find(({ text }) => text.includes('"room-1"'));
    expect(repeats).toEqual([original?.text as string]);

    const reader = new Database(path, { readonly: true });
    const rows = reader
      .query("SELECT state, count(*) AS count FROM deliveries GROUP BY state")
      .all() as unknown;
    const tries = reader.query("SELECT outcome FROM attempts WHERE job_id = 'kept-1'").all() as unknown;
    reader.close();
    expect([rows, tries]).toEqual([[{ state: "delivered", count: 43 }], [{ outcome: "delivered" }]]);
  });

  test("SIGKILL loses the last batch at most", async () => {
    const path = newPath();
    const first = await startExecutable(configOf(path));
    await first.enqueue("webhooks", jobsFrom(1, 300, "killed"));
    await listed(first, "?job_id=killed-300", 1);
    await first.stop("SIGKILL");
    await using second = await startExecutable(configOf(path));
    await listed(second, "?limit=1000", 300);
  });

  test("one file is for one process, and somebody else's database for none", async () => {
    const path = newPath();
    await using first = await startExecutable(configOf(path));
    const config = join(folder, "second.json");
    writeFileSync(config, first.configText(configOf(path)));
    const second = await runExecutable(["serve", "--config", config]);
    expect([second.code, second.stderr]).toEqual([78, expect.stringContaining("in use by another process")]);

    const foreign = newPath();
    const database = new Database(foreign);
    database.run("CREATE TABLE customers (name TEXT)");
    database.close();
    writeFileSync(config, first.configText(configOf(foreign)));
    const third = await runExecutable(["serve", "--config", config]);
    expect([third.code, third.stderr]).toEqual([78, expect.stringContaining("no history of hookline")]);

    writeFileSync(config, first.configText(configOf(join(folder, "nowhere", "history.db"))));
    const fourth = await runExecutable(["serve", "--config", config]);
    expect([fourth.code, fourth.stderr]).toEqual([78, expect.stringContaining("history.path")]);
  });

  test("a file that is damaged, or locked by another program, holds up no delivery", async () => {
    const path = newPath();
    writeFileSync(path, "not a database ".repeat(1000));
    await using server = await startExecutable(configOf(path));
    expect(server.logs().some(({ detail }) => String(detail).includes("damaged"))).toBe(true);

    const other = new Database(path);
    other.run("BEGIN IMMEDIATE");
    await server.enqueue("webhooks", jobsFrom(1, 50, "locked"));
    await server.untilIdle();
    await until(
      async () => {
        const { body } = await server.api("GET", "/v1/problems");
        return (body as { kind: string }[]).some(({ kind }) => kind === "history_not_written");
      },
      { what: "the problem of the locked history" },
    );
    other.run("COMMIT");
    other.close();
    await listed(server, "?limit=100", 50);
    const { body } = await server.api("GET", "/v1/problems");
    expect((body as { kind: string }[]).map(({ kind }) => kind)).not.toContain("history_not_written");
  });
});

import { Buffer } from "node:buffer";
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { loadConfig } from "../config/load.ts";
import { UsageError } from "../errors.ts";
import { backUpStore } from "../queue/drivers/file/backup.ts";
import { realFiles } from "../queue/drivers/file/files.ts";
import { itemsOf } from "../queue/drivers/file/items.ts";
import type { Item } from "../queue/drivers/file/items.ts";
import { salvageStore } from "../queue/drivers/file/salvage.ts";
import { places } from "../queue/drivers/file/snapshots.ts";
import { surveyStore } from "../queue/drivers/file/survey.ts";
import type { Damage, Survey } from "../queue/drivers/file/survey.ts";
import { didYouMean } from "../suggest.ts";
import { parseArguments } from "./arguments.ts";
import type { CommandIo, RunCommand } from "./command.ts";

type Flags = Readonly<Partial<Record<"path" | "config" | "to", string>>>;
type RunStore = (folder: string, flags: Flags, io: CommandIo) => Promise<number>;

const runs: Readonly<Record<string, RunStore>> = { check, dump, salvage, backup };

/**
 * `hookline store check|dump|salvage|backup`: work on the store of the driver `file`, whether or not a process has
 * it open. None of them changes it.
 */
export const store: RunCommand = async (args, io) => {
  const [word, ...rest] = args;
  if (word === undefined) {
    throw new UsageError(`store: a subcommand is missing, one of ${Object.keys(runs).join(", ")}`);
  }
  const run = Object.hasOwn(runs, word) ? runs[word] : undefined;
  if (run === undefined) {
    throw new UsageError(`store: no subcommand "${word}"${didYouMean(word, Object.keys(runs))}`);
  }
  const { values } = parseArguments(rest, { values: ["path", "config", "to"] });
  const folder = await findFolder(values, io);
  const isThere = await stat(folder).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!isThere) {
    io.reportError(`there is no store at ${folder}`);
    return 1;
  }
  return run(folder, values, io);
};

async function findFolder(values: Flags, io: CommandIo): Promise<string> {
  if (values.path !== undefined) return resolve(io.cwd, values.path);
  const args = { ...(values.config === undefined ? {} : { config: values.config }), sets: [], queues: [] };
  const { config } = await loadConfig({ args, env: io.env, cwd: io.cwd });
  return resolve(io.cwd, config.queue.file.path);
}

function targetOf(flags: Flags, io: CommandIo, word: string): string {
  if (flags.to === undefined) throw new UsageError(`store ${word}: --to DIR says where to`);
  return resolve(io.cwd, flags.to);
}

async function withSurvey(folder: string, use: (survey: Survey) => Promise<number>): Promise<number> {
  const survey = await surveyStore(folder, realFiles);
  try {
    return await use(survey);
  } finally {
    await survey.close();
  }
}

/** Exit code 0 when a start would find everything. */
function check(folder: string, _flags: Flags, io: CommandIo): Promise<number> {
  return withSurvey(folder, async (survey) => {
    report(survey, io);
    let jobs = 0;
    let dead = 0;
    for (const [, item] of itemsOf(survey.recovered)) {
      if (item.kind === "dead") dead += 1;
      else jobs += 1;
    }
    const { damages, segments, records } = survey;
    io.stdout.writeLine(
      `${folder}: ${segments.size} segments, ${records} records, ${jobs} jobs, ${dead} dead letters, ${damages.length} damaged places`,
    );
    return damages.length === 0 ? 0 : 1;
  });
}

function report({ damages, unfinished }: Survey, io: CommandIo): void {
  for (const damage of damages) io.stdout.writeLine(describe(damage));
  if (unfinished !== null) {
    io.stdout.writeLine(`${describe(unfinished)}: a start cuts that off, nothing of it was confirmed`);
  }
}

function describe({ path, offset, problem }: Damage): string {
  return `${path}, offset ${offset}: ${problem}`;
}

/** JSON Lines of all jobs and dead letters, in the order they were enqueued. */
function dump(folder: string, _flags: Flags, io: CommandIo): Promise<number> {
  return withSurvey(folder, async (survey) => {
    const { recovered, damages } = survey;
    for (const [seq, item] of itemsOf(recovered)) {
      const { id, body } = await survey.read(seq);
      const bytes =
        typeof body === "string" ? { body } : { body_base64: Buffer.from(body).toString("base64") };
      const line = { queue: recovered.queues.get(item.queue) ?? null, ...describeItem(item, id), ...bytes };
      io.stdout.writeData(`${JSON.stringify(line)}\n`);
    }
    for (const damage of damages) io.reportError(describe(damage));
    return damages.length === 0 ? 0 : 1;
  });
}

const stateNames = {
  [places.line]: "ready",
  [places.delayed]: "delayed",
  [places.back]: "ready",
  [places.parked]: "parked",
  [places.ahead]: "ready",
} as const;

function describeItem(item: Item, id: string): Record<string, unknown> {
  if (item.kind === "dead") {
    const { letter } = item;
    return {
      id: letter.jobId,
      state: "dead",
      reason: letter.reason,
      detail: letter.detail,
      endpoint: letter.endpoint,
      attempts: letter.attempts,
      enqueued_at: letter.enqueuedAt === null ? null : new Date(letter.enqueuedAt).toISOString(),
      failed_at: new Date(letter.failedAt).toISOString(),
    };
  }
  const { state, enqueuedAt } = item;
  return {
    id: item.id ?? id,
    state: state.due > 0 ? "delayed" : stateNames[state.place],
    endpoint: state.endpoint,
    attempts: state.attempts,
    enqueued_at: new Date(enqueuedAt).toISOString(),
    ...(state.due > 0 ? { due_at: new Date(state.due).toISOString() } : {}),
  };
}

/** Writes what reads well to a new store, and lists what does not; exit code 1 when that is anything. */
function salvage(folder: string, flags: Flags, io: CommandIo): Promise<number> {
  const to = targetOf(flags, io, "salvage");
  return withSurvey(folder, async (survey) => {
    report(survey, io);
    const { jobs, dead } = await salvageStore(survey, to, realFiles, true);
    io.stdout.writeLine(
      `${to}: ${jobs} jobs and ${dead} dead letters; what was acked in a damaged place is among them`,
    );
    return survey.damages.length === 0 ? 0 : 1;
  });
}

async function backup(folder: string, flags: Flags, io: CommandIo): Promise<number> {
  const to = targetOf(flags, io, "backup");
  const segments = await backUpStore(folder, to);
  io.stdout.writeLine(`${to}: ${segments} segments`);
  return 0;
}

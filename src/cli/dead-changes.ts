import { UsageError } from "../errors.ts";
import { parseArguments, parseCount } from "./arguments.ts";
import type { CommandIo, RunCommand } from "./command.ts";
import { queryOf } from "./list-command.ts";
import { printOperation } from "./operation-end.ts";
import { findServer, serverFlags } from "./server.ts";

/** The filters of the API, as flags. */
export const deadFilters = [
  "app",
  "endpoint",
  "event",
  "reason",
  "status",
  "job-id",
  "since",
  "until",
] as const;

/** Where the dead letters of a queue are. */
export function deadPath(queue: string): string {
  return `/v1/queues/${encodeURIComponent(queue)}/dead`;
}

/** `hookline dead redrive` and `dead rm`: by ids, by filters, or all. */
export function deadChange(verb: "redrive" | "remove"): RunCommand {
  const name = verb === "redrive" ? "redrive" : "rm";
  return async (args, io: CommandIo) => {
    const { values, switches, positionals } = parseArguments(args, {
      values: [...serverFlags, ...deadFilters, "max", "per-second", ...(verb === "redrive" ? ["to"] : [])],
      switches: ["json", "all", "dry-run"],
      positionals: ["QUEUE", "ID..."],
      required: 1,
    });
    const given = values as Readonly<Record<string, string>>;
    const [queue = "", ...ids] = positionals;
    const filter = queryOf(given, deadFilters);
    const isFiltered = Object.keys(filter).length > 0;
    const { max } = given;
    const ways = [ids.length > 0, isFiltered, switches.has("all")].filter(Boolean).length;
    const isByNumber = ways === 0 && max !== undefined && verb === "redrive";
    if (ways !== 1 && !isByNumber) {
      const byNumber = verb === "redrive" ? ", or --max N" : "";
      throw new UsageError(`dead ${name}: give ids, or filters as --endpoint${byNumber}, or --all`);
    }
    if (ids.length > 0 && max !== undefined)
      throw new UsageError("--max goes with filters or --all, not with ids");
    const perSecond = given["per-second"];
    if (perSecond !== undefined && !(Number(perSecond) > 0)) {
      throw new UsageError(`--per-second: expected a number above 0, got "${perSecond}"`);
    }
    const server = await findServer(given, io);
    const body = {
      ...(ids.length > 0 ? { ids } : isFiltered ? { filter } : isByNumber ? {} : { all: true }),
      ...(max === undefined ? {} : { max: parseCount("--max", max, 1) }),
      ...(perSecond === undefined ? {} : { per_second: Number(perSecond) }),
      ...(given["to"] === undefined ? {} : { to: given["to"] }),
      ...(switches.has("dry-run") ? { dry_run: true } : {}),
    };
    const request = { path: `${deadPath(queue)}/${verb}`, body };
    return printOperation(server, request, { asJson: switches.has("json") }, io);
  };
}

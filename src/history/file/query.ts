import { labelOf, type HistoryFilter } from "../filter.ts";

/** A part of a WHERE, and the values of its places. */
export interface Condition {
  readonly sql: string;
  readonly values: readonly (string | number)[];
}

/**
 * What every row that fits a filter fulfils, over the narrow table only. A row that does may still not fit: of times the
 * first and the last are compared, and not each attempt's.
 */
export function conditionOf(filter: HistoryFilter): Condition {
  const {
    app,
    apps,
    event,
    ids,
    job_id: jobId,
    outcome,
    queue,
    queues,
    reason,
    since,
    state,
    status,
    until,
  } = filter;
  const parts: string[] = [];
  const values: (string | number)[] = [];
  const add = (sql: string, ...given: (string | number | undefined)[]): void => {
    const known = given.filter((value) => value !== undefined);
    if (known.length !== given.length) return;
    parts.push(sql);
    values.push(...known);
  };
  const among = (names: readonly string[]): string => names.map(() => "?").join(", ");

  add("queue = ?", queue);
  if (queues !== undefined) add(`queue IN (${among(queues)})`, ...queues);
  if (app === "-") add("app IS NULL");
  else add("app = ?", app);
  if (apps !== undefined) add(`coalesce(app, '-') IN (${among(apps)})`, ...apps);
  add("endpoint = ?", labelOf(filter));
  add("job_id = ?", jobId);
  if (ids !== undefined) add(`(job_id IN (${among(ids)}) OR webhook_id IN (${among(ids)}))`, ...ids, ...ids);
  add("state = ?", state);
  add("reason = ?", reason);
  add("outcome = ?", outcome);
  if (status?.endsWith("xx") === true) {
    const hundred = Number(status[0]) * 100;
    add("status BETWEEN ? AND ?", hundred, hundred + 99);
  } else add("status = ?", status === undefined ? undefined : Number(status));
  // Names stand in it as JSON, so that one is found whole.
  add("instr(events, ?) > 0", event === undefined ? undefined : JSON.stringify(event));
  add("last_at >= ?", since);
  add("first_at <= ?", until);
  return { sql: parts.map((part) => ` AND ${part}`).join(""), values };
}

import * as v from "valibot";
import { problemKinds, type Kind, type ProblemKind, type Severity } from "../problems/kinds.ts";
import type { Problem } from "../problems/list.ts";
import type { DriverProbe } from "./driver-probe.ts";
import { count, text, time } from "./answer-kinds.ts";
import { answer } from "./description.ts";
import type { AdminDeps } from "./deps.ts";
import { isoTime, jsonReply } from "./reply.ts";
import { route, type Route } from "./route.ts";
import { withoutHosts } from "./without-hosts.ts";

const statuses = ["ok", "note", "degraded", "draining", "down"] as const;

/** One line of `checks` in GET /health. */
interface Check {
  readonly status: (typeof statuses)[number];
  /** Why, in words; masked. Missing where all is well. */
  readonly detail?: string;
  /** Of a kind of problem (problems/kinds.ts); ISO time at which the first one began. */
  readonly severity?: Severity;
  readonly since?: string | null;
  readonly queues?: readonly string[];
  /** How many endpoints. */
  readonly count?: number;
}

const longestDetail = 500;
const mostQueues = 50;

/**
 * GET /health, /health/live and /health/ready (contract §4), none of which needs a token.
 *
 * Anyone may read them: they name queues, but no endpoint, app, token or host, and an error's text is masked.
 */
export function healthRoutes(deps: AdminDeps, probe: DriverProbe): Route[] {
  const openText = (text: string): string => withoutHosts(deps.mask(text));

  const checkDriver = async (): Promise<Check> => {
    if (!deps.state().driverOpen) return { status: "down", detail: openText(notOpen(deps)) };
    const problem = await probe.check();
    return problem === null ? { status: "ok" } : { status: "down", detail: openText(problem) };
  };

  const checks = async (): Promise<{ all: Record<string, Check>; refused: string | null }> => {
    const [driver, refused] = await Promise.all([checkDriver(), deps.writes.check()]);
    const all: Record<string, Check> = { driver, loops: checkLoops(deps) };
    if (deps.state().draining) all["drain"] = { status: "draining", detail: "shutting down" };
    return { all: { ...all, ...problemChecks(deps) }, refused };
  };

  return [
    route({
      method: "GET",
      path: "/health",
      access: "open",
      about: () => ({
        id: "getHealth",
        summary: "Say how the process is",
        answers: {
          200: answer("`ok` or `degraded`: it works.", healthAnswer(), healthExample),
          503: answer("`draining` or `down`.", healthAnswer(), {
            ...healthExample,
            status: "down",
            checks: {
              driver: { status: "down", detail: "the backend does not answer" },
              loops: { status: "ok" },
            },
          }),
        },
      }),
      async handle() {
        const { all } = await checks();
        const status = overall(all);
        const body = {
          status,
          version: deps.version,
          uptime_ms: Math.round(deps.clock.monotonic() - deps.startedAt),
          driver: deps.driver.name,
          durable: deps.driver.durable?.() ?? deps.driver.capabilities.durable,
          checks: all,
        };
        return jsonReply(body, status === "ok" || status === "degraded" ? 200 : 503);
      },
    }),
    route({
      method: "GET",
      path: "/health/live",
      access: "open",
      about: () => ({
        id: "getLiveness",
        summary: "Say whether the process is alive",
        answers: { 200: answer("It is.", v.object({ status: v.literal("ok") }), { status: "ok" }) },
      }),
      // A supervisor past its restart intensity ends the process: whoever answers here is alive.
      handle: () => jsonReply({ status: "ok" }),
    }),
    route({
      method: "GET",
      path: "/health/ready",
      access: "open",
      about: () => ({
        id: "getReadiness",
        summary: "Say whether the process takes jobs",
        answers: {
          200: answer("It does.", v.object({ status: v.literal("ready") }), { status: "ready" }),
          503: answer(
            "It does not.",
            v.object({ status: v.literal("not_ready"), reason: text("Why, in words.") }),
            { status: "not_ready", reason: "drain: shutting down" },
          ),
        },
      }),
      async handle() {
        const { all, refused } = await checks();
        const reasons = Object.entries(all)
          .filter(([, check]) => check.status === "down" || check.status === "draining")
          .map(([name, check]) => `${name}: ${check.detail ?? check.status}`);
        if (refused !== null) reasons.push(`writes: ${openText(refused)}`);
        if (reasons.length === 0) return jsonReply({ status: "ready" });
        return jsonReply({ status: "not_ready", reason: reasons.join("; ") }, 503);
      },
    }),
  ];
}

const healthAnswer = () =>
  v.object({
    status: v.picklist(statuses),
    version: v.string(),
    uptime_ms: count("Since the start of the process."),
    driver: v.string(),
    durable: v.nullable(v.pipe(v.boolean(), v.description("What was accepted outlives the process."))),
    checks: v.pipe(
      v.record(
        v.string(),
        v.object({
          status: v.picklist(statuses),
          detail: v.optional(text("Why, in words.")),
          severity: v.optional(v.picklist(["error", "warning", "note"])),
          since: v.optional(time("When the first of its problems began.")),
          queues: v.optional(v.array(v.string())),
          count: v.optional(count("How many endpoints.")),
        }),
      ),
      v.description("`driver`, `loops`, `drain` while it shuts down, and each kind of problem that stands."),
    ),
  });

const healthExample: v.InferInput<ReturnType<typeof healthAnswer>> = {
  status: "ok",
  version: "0.2.0",
  uptime_ms: 86_400_000,
  driver: "redis",
  durable: true,
  checks: { driver: { status: "ok" }, loops: { status: "ok" } },
};

/** What can keep a driver from opening (worker/backend-health.ts). */
const openingKinds: ReadonlySet<ProblemKind> = new Set([
  "backend_unreachable",
  "backend_refuses_writes",
  "credentials_expired",
  "clock_off",
]);

/** Why the driver is not open, where a try has failed. */
function notOpen(deps: AdminDeps): string {
  const problem = deps.problems.list().find(({ kind, object }) => object === "" && openingKinds.has(kind));
  return problem === undefined ? "not connected yet" : `not connected yet: ${problem.detail}`;
}

/** Worker loops and what serves them: down when none is alive, degraded while one is being restarted. */
function checkLoops(deps: AdminDeps): Check {
  if (!deps.live.config.queue.consume || deps.driver.capabilities.discards === true) return { status: "ok" };
  const children = deps.supervisor.children();
  const alive = children.filter((child) => child.state === "running" || child.state === "starting").length;
  if (alive === 0) return { status: "down", detail: "no worker loop is alive" };
  if (alive < children.length) {
    return { status: "degraded", detail: `${children.length - alive} of ${children.length} are not running` };
  }
  return { status: "ok" };
}

/** One check for each kind of problem that stands. */
function problemChecks(deps: AdminDeps): Record<string, Check> {
  const byKind = Map.groupBy(deps.problems.list(), ({ kind }) => kind);
  return Object.fromEntries([...byKind].map(([kind, problems]) => [kind, checkOf(deps, kind, problems)]));
}

function checkOf(deps: AdminDeps, kind: ProblemKind, problems: readonly Problem[]): Check {
  const { severity, object, summary }: Kind = problemKinds[kind];
  const status = severity === "note" ? "note" : "degraded";
  const since = isoTime(Math.min(...problems.map((problem) => problem.since)));
  const common = { status, severity, since } as const;
  if (object === "endpoint") return { ...common, count: problems.length, detail: summary };
  const details = new Set(problems.map(({ openDetail = summary }) => openDetail));
  const detail = deps.mask([...details].join("; ").slice(0, longestDetail));
  if (object !== "queue") return { ...common, detail };
  const queues = problems.flatMap((problem) => (problem.object === "" ? [] : [problem.object]));
  return queues.length === 0
    ? { ...common, detail }
    : { ...common, queues: queues.slice(0, mostQueues).map(deps.mask), detail };
}

function overall(checks: Record<string, Check>): Check["status"] {
  const found = new Set(Object.values(checks).map((check) => check.status));
  for (const status of ["draining", "down", "degraded"] as const) if (found.has(status)) return status;
  return "ok";
}

import type { Problem, ProblemList } from "../problems/list.ts";
import type { ProblemKind } from "../problems/kinds.ts";
import type { OperatorEvents } from "./operator-events.ts";

/** Looks what problems begin and end, for as long as somebody wants to be told. */
export interface ProblemNews {
  setOn(isOn: boolean): void;
}

export interface ProblemNewsOptions {
  readonly problems: ProblemList;
  readonly events: OperatorEvents;
  /** Has the backend looked at again, so that what it finds is fresh; may reject. */
  readonly refresh: () => Promise<void>;
}

/** Told at once by who finds them, under a type of their own (contract §6). */
const toldElsewhere: ReadonlySet<ProblemKind> = new Set([
  "breaker_open",
  "endpoint_disabled",
  "dead_letters",
  "loop_restarting",
  "config_refused",
]);

const everyMs = 1_000;
/** A backend is asked as often as by an orchestrator's probe. */
const refreshEvery = 15;

export function createProblemNews({ problems, events, refresh }: ProblemNewsOptions): ProblemNews {
  let timer: ReturnType<typeof setInterval> | null = null;
  let standing = new Map<string, Problem>();
  let rounds = 0;

  const opened = (problem: Problem): void => {
    const { id, kind, severity, since, detail, remedy, object } = problem;
    const data = { kind, severity, since: new Date(since).toISOString(), detail, remedy };
    if (kind === "queue_lagging") events.tell({ type: "queue.lagging", object, data });
    else events.tell({ type: "problem.opened", object: id, data: { ...data, about: object } });
  };
  const closed = ({ id, kind, severity, since, object }: Problem): void => {
    if (kind === "queue_lagging") return;
    const data = { kind, severity, since: new Date(since).toISOString(), about: object };
    events.tell({ type: "problem.closed", object: id, data });
  };

  const look = (): void => {
    rounds += 1;
    if (rounds % refreshEvery === 1) {
      // What a backend that does not answer means is a problem already, found by those who need it.
      refresh().catch(() => undefined);
    }
    const now = new Map(
      problems.list().flatMap((problem) => (toldElsewhere.has(problem.kind) ? [] : [[problem.id, problem]])),
    );
    for (const [id, problem] of now) if (!standing.has(id)) opened(problem);
    for (const [id, problem] of standing) if (!now.has(id)) closed(problem);
    standing = now;
  };

  return {
    setOn(isOn) {
      if (isOn === (timer !== null)) return;
      if (timer !== null) clearInterval(timer);
      timer = isOn ? setInterval(look, everyMs) : null;
      if (!isOn) standing = new Map();
    },
  };
}

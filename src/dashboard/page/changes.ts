import { ask, type Done } from "./actions.ts";
import { endpointPath } from "./address.ts";
import { send } from "./fetching.ts";
import { count, counted, duration } from "./format.ts";
import { dryRun, operate } from "./operations.ts";
import type { Endpoint, Queue } from "./types.ts";

/** What of the page changes something; each is one call of the API. */

const everywhere = (scope: string): string =>
  scope === "cluster" ? "in all processes on this backend" : "in this process";

/** Stops the consumption of a queue. */
export function pauseQueue({ name, scope, ready }: Queue): void {
  ask({
    title: `Pause the queue ${name}?`,
    text: `Nothing more of it is delivered ${everywhere(scope)} until it is resumed; ${ready === null ? "what is ready waits" : `${counted(ready, "ready job")} and all that come wait`}. Nothing is lost.`,
    verb: "Pause",
    run: () => switchQueue(name, "pause"),
  });
}

export function resumeQueue({ name, scope, ready }: Pick<Queue, "name" | "scope" | "ready">): void {
  ask({
    title: `Resume the queue ${name}?`,
    text: `Its jobs are delivered again ${everywhere(scope)}${ready === null ? "" : `; ${counted(ready, "job")} ${ready === 1 ? "is" : "are"} ready`}.`,
    verb: "Resume",
    run: () => switchQueue(name, "resume"),
  });
}

async function switchQueue(name: string, verb: "pause" | "resume"): Promise<Done> {
  await send("POST", `v1/queues/${encodeURIComponent(name)}/${verb}`);
  return {
    text: verb === "pause" ? `The queue ${name} is paused.` : `The queue ${name} is resumed.`,
    undo: () => switchQueue(name, verb === "pause" ? "resume" : "pause"),
  };
}

type EndpointVerb = "pause" | "resume" | "enable" | "disable";

const endpointTexts: Readonly<
  Record<EndpointVerb, { readonly verb: string; readonly text: string; readonly done: string }>
> = {
  pause: { verb: "Pause", text: "Its jobs are kept and wait until it is resumed", done: "is paused" },
  resume: { verb: "Resume", text: "What waits for it is delivered", done: "is resumed" },
  enable: {
    verb: "Enable",
    text: "It gets deliveries again. Its dead letters stay until they are redriven",
    done: "is enabled",
  },
  disable: {
    verb: "Disable",
    text: "From now on its jobs become dead letters, endpoint_disabled",
    done: "is disabled",
  },
};

/** Switches an endpoint; what was so before is what undo puts back. */
export function switchEndpoint(
  endpoint: Pick<Endpoint, "label" | "scope" | "mode">,
  verb: EndpointVerb,
): void {
  const { label, scope, mode } = endpoint;
  const texts = endpointTexts[verb];
  const back: EndpointVerb = mode === "disabled" ? "disable" : mode === "paused" ? "pause" : "enable";
  ask({
    title: `${texts.verb} ${label}?`,
    text: `${texts.text}; this holds ${everywhere(scope)}.`,
    verb: texts.verb,
    isGrave: verb === "disable",
    run: () => runSwitch(label, verb, back),
  });
}

async function runSwitch(label: string, verb: EndpointVerb, back: EndpointVerb): Promise<Done> {
  await send("POST", `${endpointApi(label)}/${verb}`);
  return { text: `${label} ${endpointTexts[verb].done}.`, undo: () => runSwitch(label, back, verb) };
}

/** The path of an endpoint in the API. */
export function endpointApi(label: string): string {
  return `v1/endpoints/${endpointPath(label).map(encodeURIComponent).join("/")}`;
}

interface Probe {
  readonly outcome: string;
  readonly detail: string;
  readonly duration_ms: number;
}

export function testEndpoint(label: string): void {
  ask({
    title: `Send a test delivery to ${label}?`,
    text: "One signed request with an event hookline_test goes to the receiver now, past its queue, its breaker and its pause. It is not repeated.",
    verb: "Send it",
    run: async () => {
      const probe = await send<Probe>("POST", `${endpointApi(label)}/test`);
      return { text: `${label}: ${probe.detail}, after ${duration(probe.duration_ms)}.` };
    },
  });
}

export function restartWorker(id: string): void {
  ask({
    title: `Restart ${id}?`,
    text: "What it has under way is given back and delivered by another loop. The others go on.",
    verb: "Restart",
    run: async () => {
      await send("POST", `v1/workers/${id.split("/").map(encodeURIComponent).join("/")}/restart`);
      return { text: `${id} is being restarted.` };
    },
  });
}

export function reloadConfiguration(): void {
  ask({
    title: "Reload the configuration?",
    text: "The file and the files of secrets are read anew, checked as a whole and put in force as a whole. A configuration with a mistake changes nothing.",
    verb: "Reload",
    run: async () => {
      const { changed } = await send<{ changed: readonly string[] }>("POST", "v1/config/reload");
      return {
        text:
          changed.length === 0
            ? "Reloaded: nothing has changed."
            : `Reloaded: ${changed.join(", ")} changed.`,
      };
    },
  });
}

interface Resent {
  readonly job_id: string;
  readonly note?: string;
}

export function resendDelivery(id: string, endpoint: string): void {
  ask({
    title: `Send this delivery to ${endpoint} again?`,
    text: "A new job with the same payload is enqueued, for this endpoint alone.",
    verb: "Send again",
    fields: [newId],
    run: async (values) => {
      const body = { new_id: values["new_id"] === "yes" };
      const answer = await send<Resent>("POST", `v1/deliveries/${encodeURIComponent(id)}/resend`, body);
      return { text: `Enqueued for ${endpoint} as job ${answer.job_id}.` };
    },
  });
}

const newId = {
  name: "new_id",
  kind: "check",
  label: "Under a new webhook-id",
  hint: "A receiver that keeps ids takes the old one for a repeat and drops it.",
} as const;

/** Asks how many fit, then says it and asks. */
export async function resendMatching(filter: Readonly<Record<string, string>>): Promise<void> {
  const given = Object.keys(filter).length === 0 ? { all: true } : { filter };
  const { matched, skipped = {}, resendable = matched } = await dryRun("v1/deliveries/resend", given);
  const left = Object.entries(skipped).map(([why, many]) => `${count(many)} ${why.replaceAll("_", " ")}`);
  ask({
    title: `Send ${counted(resendable, "delivery", "deliveries")} again?`,
    text: `${count(matched)} match${left.length === 0 ? "" : `; left out: ${left.join(", ")}`}. Each becomes a new job for its endpoint.`,
    verb: "Send them again",
    fields: [newId, pace],
    run: (values) =>
      operate("v1/deliveries/resend", { ...given, new_id: values["new_id"] === "yes", ...perSecond(values) }),
  });
}

/** Dead letters that fit a filter, or all of a queue. */
export interface DeadSelection {
  readonly queue: string;
  readonly filter: Readonly<Record<string, string>>;
}

const selected = ({ filter }: DeadSelection): object =>
  Object.keys(filter).length === 0 ? { all: true } : { filter };

const filterWords = ({ queue, filter }: DeadSelection): string => {
  const { endpoint, reason, ...rest } = filter;
  const more = Object.entries(rest).map(([name, value]) => `${name} ${value}`);
  return [
    `of the queue ${queue}`,
    ...(endpoint === undefined ? [] : [`of ${endpoint}`]),
    ...(reason === undefined ? [] : [`given up as ${reason.replaceAll("_", " ")}`]),
    ...more,
  ].join(", ");
};

/** Asks how many would be redriven, says it, and asks. */
export async function redriveMatching(selection: DeadSelection): Promise<void> {
  const path = `v1/queues/${encodeURIComponent(selection.queue)}/dead/redrive`;
  const { matched } = await dryRun(path, selected(selection));
  ask({
    title: `Redrive ${counted(matched, "dead letter")}?`,
    text: `Those ${filterWords(selection)}. They become ready again with all their attempts before them. What fails again comes back here.`,
    verb: `Redrive ${count(matched)}`,
    fields: [pace],
    run: (values) => operate(path, { ...selected(selection), ...perSecond(values) }),
  });
}

/** Asks how many would be removed for good, says it, and asks. */
export async function removeMatching(selection: DeadSelection): Promise<void> {
  const path = `v1/queues/${encodeURIComponent(selection.queue)}/dead/remove`;
  const { matched } = await dryRun(path, selected(selection));
  ask({
    title: `Remove ${counted(matched, "dead letter")} for good?`,
    text: `Those ${filterWords(selection)}. Their payloads are gone then: this cannot be undone.`,
    verb: `Remove ${count(matched)}`,
    isGrave: true,
    run: () => operate(path, selected(selection)),
  });
}

/** Redrives one dead letter. */
export function redriveOne(queue: string, id: string): void {
  ask({
    title: "Redrive this dead letter?",
    text: `It becomes ready in ${queue} again, with all its attempts before it.`,
    verb: "Redrive",
    run: async () => {
      const path = `v1/queues/${encodeURIComponent(queue)}/dead/redrive`;
      const { redriven } = await send<{ redriven: number }>("POST", path, { ids: [id] });
      return { text: redriven === 0 ? "It is not among the dead letters any more." : "Redriven." };
    },
  });
}

interface Changed {
  readonly done: number;
  readonly leased: readonly string[];
}

/** Makes one waiting job ready now, or removes it. */
export function changeJob(verb: "run" | "cancel", queue: string, ref: string, name: string): void {
  const isRun = verb === "run";
  ask({
    title: isRun ? `Deliver ${name} now?` : `Cancel ${name}?`,
    text: isRun
      ? "It becomes ready ahead of others. An endpoint that is paused, or whose breaker is open, has it put aside again."
      : "It is not delivered any more. It stands in the history as cancelled, and can be sent from there.",
    verb: isRun ? "Deliver now" : "Cancel the job",
    isGrave: !isRun,
    run: async () => {
      const answer = await send<Changed>("POST", `v1/queues/${encodeURIComponent(queue)}/jobs/${verb}`, {
        refs: [ref],
      });
      if (answer.done > 0) return { text: isRun ? `${name} is ready.` : `${name} is cancelled.` };
      return {
        text:
          answer.leased.length > 0
            ? `${name} is being delivered just now and was left alone.`
            : `${name} waits there no more.`,
      };
    },
  });
}

const pace = {
  name: "per_second",
  kind: "number",
  label: "At most so many a second",
  hint: "Empty: as fast as the endpoint's limits let them.",
} as const;

function perSecond(values: Readonly<Record<string, string>>): { per_second?: number } {
  const given = Number(values["per_second"] ?? "");
  return given > 0 ? { per_second: given } : {};
}

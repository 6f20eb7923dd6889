import { route as routeJob } from "../delivery/router.ts";
import type { Directory, Endpoint } from "../delivery/endpoint.ts";
import { decodeJob } from "../jobs/decode.ts";
import { deliveryId } from "../jobs/id.ts";
import type { DecodedJob } from "../jobs/job.ts";
import { encodeNative } from "../jobs/native.ts";
import type { DeadLetter, RewrittenJob } from "../queue/driver.ts";
import { quote } from "../secrets/masked-start.ts";
import { idsOf } from "./dead-view.ts";
import type { AdminDeps } from "./deps.ts";
import { mayNameApp } from "./reach.ts";
import { createRawRoutes } from "./raw-queues.ts";
import { RequestError } from "./request-error.ts";
import { localClient, type Caller } from "./tokens.ts";

/** Where dead letters are to go instead of to their own endpoint. */
export interface DeadLetterTarget {
  /** The job that a letter becomes there, or why it cannot. */
  rewrite(letter: DeadLetter): { readonly job: RewrittenJob } | { readonly obstacle: Obstacle };
}

type Obstacle =
  | "other_app"
  | "malformed"
  | "unknown_app"
  | "bad_signature"
  | "format_not_accepted"
  | "no_route";

/**
 * The target that `to` names: an app's endpoint (`app/name`) for letters of that app, or a named one (`-/name`) for any.
 *
 * @throws RequestError `unknown_endpoint`, `endpoint_disabled`; `forbidden` for an app that the caller may not name;
 *   `token_not_configured` without a token, because it sends an app's events to another receiver.
 */
export function findTarget(
  deps: Pick<AdminDeps, "gates" | "live" | "mask">,
  to: string,
  { caller, queue, format }: { caller: Caller; queue: string; format: "auto" | "raw" },
): DeadLetterTarget {
  if (caller === localClient) {
    throw new RequestError(
      "token_not_configured",
      "to: this needs a token always: set server.token (HOOKLINE_TOKEN) and send it as a bearer token",
    );
  }
  const { directory } = deps.live;
  const slash = to.indexOf("/");
  const appId = slash === -1 ? "-" : to.slice(0, slash);
  const name = to.slice(slash + 1);
  if (!mayNameApp(caller, appId)) throw new RequestError("forbidden", "to: the token may not name this app");
  const endpoint = findEndpoint(directory, appId, name);
  if (endpoint === null) {
    throw new RequestError(
      "unknown_endpoint",
      `to: no endpoint ${quote(deps.mask, to)} is configured: name it as APP/NAME, or -/NAME for a named one`,
      {},
      422,
    );
  }
  if (deps.gates.of(endpoint).mode === "disabled") {
    throw new RequestError(
      "endpoint_disabled",
      `to: ${endpoint.label} is disabled, and its jobs become dead letters: enable it first`,
    );
  }
  const rawRoutes = createRawRoutes(deps.live)(queue);
  return {
    rewrite(letter) {
      const decoded = decodeJob(letter.body, { format });
      if (decoded.kind === "malformed") return { obstacle: "malformed" };
      if (appId !== "-" && appIdOf(decoded, directory) !== appId) return { obstacle: "other_app" };
      const job: DecodedJob = {
        ...decoded,
        endpoint: appId === "-" ? `-/${endpoint.name}` : endpoint.name,
        redirected: true,
      };
      const jobId = idsOf(letter, format).jobId;
      const id = deliveryId(jobId, endpoint.nameHash);
      const bound =
        job.kind === "pusher" ? { ...job, boundEvents: job.boundEvents ?? ("all" as const) } : job;
      const routing = routeJob({ ...bound, deliveryId: id }, directory, rawRoutes);
      if (routing.kind !== "deliver") {
        return { obstacle: routing.kind === "dead" ? (routing.reason as Obstacle) : "no_route" };
      }
      const body = encodeNative(bound, { id: jobId, endpoint: job.endpoint, deliveryId: id });
      return { job: { id, body, endpoint: endpoint.label } };
    },
  };
}

function findEndpoint(directory: Directory, appId: string, name: string): Endpoint | null {
  const app = appId === "-" ? null : directory.findApp(appId, null);
  if (appId !== "-" && app === null) return null;
  return directory.findEndpoint(app, name);
}

function appIdOf(job: DecodedJob, directory: Directory): string | null {
  if (job.kind === "raw") return null;
  if (job.kind === "generic") return job.appId;
  return directory.findApp(job.appId, job.appKey)?.id ?? job.appId;
}

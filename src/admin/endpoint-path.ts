import type { Endpoint } from "../delivery/endpoint.ts";
import type { AdminDeps } from "./deps.ts";
import { quote } from "../secrets/masked-start.ts";
import { RequestError } from "./request-error.ts";
import { pathParameter, type AdminRequest } from "./route.ts";

/**
 * The endpoint of a path `/v1/endpoints/{app}/{name}/…`.
 *
 * A named endpoint belongs to no app; `-` stands in an app's place: `/v1/endpoints/-/billing`.
 *
 * @throws RequestError `no_such_app` or `unknown_endpoint` (404).
 */
export function endpointParameter(deps: AdminDeps, request: AdminRequest): Endpoint {
  const appId = pathParameter(request, "app");
  const name = pathParameter(request, "name");
  const app = appId === "-" ? null : deps.live.directory.findApp(appId, null);
  if (app === null && appId !== "-") {
    throw new RequestError("no_such_app", `no app ${quote(deps.mask, appId)} in the configuration`);
  }
  const endpoint = deps.live.directory.findEndpoint(app, name);
  if (endpoint !== null) return endpoint;
  const where = app === null ? "among the named endpoints" : `in app ${app.id}`;
  throw new RequestError(
    "unknown_endpoint",
    `no endpoint ${quote(deps.mask, name)} ${where}: GET /v1/endpoints lists them`,
  );
}

import { maskBounded, shortened } from "../bounded-text.ts";
import type { Disposition } from "../queue/driver.ts";

/** Most characters of what is told of a dead letter: what a producer or receiver wrote may stand in it. */
const longestDetail = 500;
/** Most characters of a name. A producer may name an endpoint that does not exist. */
const longestName = 200;

/**
 * A settlement whose texts for people are short, and the detail of a dead letter without secrets: it is kept in
 * the backend, written to the log and shown. The body is the job's own and stays as it is.
 */
export function boundedSettlement(disposition: Disposition, mask: (text: string) => string): Disposition {
  const { verb } = disposition;
  if (verb !== "dead" && verb !== "retry") return disposition;
  const { detail, endpoint } = disposition;
  const isShort = (detail?.length ?? 0) <= longestDetail && (endpoint?.length ?? 0) <= longestName;
  if (isShort && verb === "retry") return disposition;
  const bounded = { ...disposition };
  if (typeof detail === "string") bounded.detail = shortened(maskBounded(detail, mask), longestDetail);
  if (typeof endpoint === "string" && !isShort) {
    bounded.endpoint = shortened(maskBounded(endpoint, mask), longestName);
  }
  return bounded;
}

import * as v from "valibot";
import { checkedText, flag, integer, secretAddress } from "./kinds.ts";
import { setting } from "./setting.ts";
import { networkProblem, proxyUrlProblem } from "./urls.ts";

const network = checkedText(
  "an IP address, a CIDR range or a host name",
  networkProblem,
  "IP address, CIDR range, host name or *.domain.",
);

/** A proxy for deliveries; never taken from HTTP_PROXY and its like. */
export const proxyUrl = v.pipe(
  checkedText("an http:// or https:// URL", proxyUrlProblem, "URL of the proxy that deliveries go through."),
  v.metadata(secretAddress),
);

/** Where deliveries may go (issue "Endpoints that do not harm each other", part 6). */
export const egressSchema = v.strictObject({
  deny: setting(v.pipe(v.array(network), v.description("Never delivered to.")), { default: [] }),
  allow: setting(
    v.pipe(v.array(network), v.description("Delivered to although a rule, a built-in one too, denies it.")),
    { default: [] },
  ),
  deny_private: setting(flag("Deny every private, loopback, link-local and special address."), {
    default: false,
  }),
  ports: setting(
    v.pipe(
      v.nullable(
        v.pipe(
          v.array(integer({ min: 1, max: 65_535 }, "Port.")),
          v.minLength(1, "at least one port, or null"),
        ),
      ),
      v.description("The only ports that are delivered to; null = any."),
    ),
    { default: null },
  ),
  proxy: setting(v.nullable(proxyUrl), { default: null }),
});

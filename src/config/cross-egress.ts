import { portOf } from "../delivery/destination.ts";
import { createEgress, type Egress, type EgressRules } from "../delivery/egress/rules.ts";
import { hostOf } from "../delivery/host-name.ts";
import { createProxy } from "../delivery/proxy.ts";
import type { CrossFindings, CrossView } from "./cross-view.ts";

type Path = readonly (string | number)[];

/**
 * URLs that the egress rules forbid as they stand: addresses, denied names, ports. Every delivery there would be a dead
 * letter `blocked`. What depends on a look-up is left to the moment of the attempt.
 */
export function checkEgress({ config }: CrossView, { issue }: CrossFindings): void {
  const egress = compileRules(config.egress);
  if (egress === null) return;
  const report = (path: Path, what: string, rule: string | null, remedy: string): void => {
    if (rule !== null) issue(path, `the egress rules forbid ${what}: ${rule}; ${remedy}`);
  };
  const checkProxy = (path: Path, written: unknown): void => {
    const url = typeof written === "string" ? URL.parse(written) : null;
    if (url === null) return;
    const rule = egress.checkWritten(createProxy(url).hostname, null);
    report(path, "the proxy itself", rule, "add its address to egress.allow");
  };
  const checkTarget = (path: Path, written: unknown): void => {
    const url = typeof written === "string" ? URL.parse(written) : null;
    if (url === null) return;
    const rule = egress.checkWritten(hostOf(url).hostname, portOf(url));
    report(path, "this URL", rule, "no delivery would ever leave: change the URL, or the rule");
  };

  checkProxy(["egress", "proxy"], config.egress?.proxy);
  for (const [at, app] of (config.apps ?? []).entries()) {
    for (const [index, webhook] of (app?.webhooks ?? []).entries()) {
      checkTarget(["apps", at, "webhooks", index, "url"], webhook?.url);
      checkProxy(["apps", at, "webhooks", index, "proxy"], webhook?.proxy);
    }
  }
  for (const [name, endpoint] of Object.entries(config.endpoints ?? {})) {
    checkTarget(["endpoints", name, "url"], endpoint?.url);
    checkProxy(["endpoints", name, "proxy"], endpoint?.proxy);
  }
}

/** The rules compiled; null where one of them is wrong in itself, and so nothing can be said of the rest. */
function compileRules(rules: CrossView["config"]["egress"]): Egress | null {
  if (rules === undefined) return null;
  const { deny, allow, deny_private, ports } = rules;
  const isSound =
    isComplete(deny) &&
    isComplete(allow) &&
    deny_private !== undefined &&
    (ports === null || isComplete(ports));
  return isSound ? createEgress({ deny, allow, deny_private, ports } as EgressRules) : null;
}

const isComplete = (list: readonly unknown[] | undefined): boolean =>
  list !== undefined && !list.includes(undefined);

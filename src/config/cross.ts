import { checkLimit } from "./blame.ts";
import type { Finding } from "./issues.ts";
import { checkApps, checkRetryPolicy } from "./cross-apps.ts";
import { checkBackends } from "./cross-backends.ts";
import { checkEgress } from "./cross-egress.ts";
import { checkQueues } from "./cross-queues.ts";
import { checkOperatorEvents } from "./cross-operator-events.ts";
import { checkTokens } from "./cross-tokens.ts";
import type { CrossFindings, CrossView } from "./cross-view.ts";

/** Checks that need more than one key (contract §1.7: contradictions are errors too). */
export function checkAcross(view: CrossView): { issues: Finding[]; warnings: string[] } {
  const issues: Finding[] = [];
  const warnings: string[] = [];
  const findings: CrossFindings = {
    issue: (path, message) => issues.push({ path: path.map(String), message }),
    warn: (message) => warnings.push(message),
  };
  checkServer(view, findings);
  checkTokens(view, findings);
  const retry = view.input.webhooks?.retry;
  if (retry !== undefined) {
    const effective = { ...view.config.webhooks?.retry };
    checkRetryPolicy(["webhooks", "retry"], retry, effective, view, findings.issue);
  }
  checkQueues(view, findings);
  checkOperatorEvents(view, findings);
  checkBackends(view, findings);
  checkApps(view, findings);
  checkEgress(view, findings);
  return { issues, warnings };
}

function checkServer({ config, sourceOf }: CrossView, { issue, warn }: CrossFindings): void {
  const { server, supervisor } = config;
  const mayOperate = server?.token !== null || server.tokens?.some((one) => one?.scope === "operate");
  if (mayOperate === false && supervisor?.allow_crash === true) {
    warn("supervisor.allow_crash has no effect without a token that may operate: crash and stall need one");
  }
  const [first, longest] = [supervisor?.restart_delay_ms, supervisor?.max_restart_delay_ms];
  const part = (key: string, value: number) => {
    const path = ["supervisor", key];
    return { path, value, source: sourceOf(path) };
  };
  if (first !== undefined && longest !== undefined) {
    checkLimit(part("restart_delay_ms", first), part("max_restart_delay_ms", longest), issue);
  }
}

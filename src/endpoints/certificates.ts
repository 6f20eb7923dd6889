import type { Clock } from "../clock.ts";
import { refusesCertificate } from "../delivery/classify.ts";
import { outcomeStatus, type Outcome } from "../delivery/outcome.ts";
import type { Logger } from "../log.ts";
import type { Finding } from "../problems/finding.ts";
import { createStanding } from "../problems/standing.ts";

/** The endpoints whose certificate was refused at the last attempt that got so far. */
export interface CertificateWatch {
  ended(label: string, outcome: Outcome): void;
  forget(label: string): void;
  findings(): Finding[];
}

export function createCertificateWatch({
  clock,
  log,
}: {
  readonly clock: Clock;
  readonly log: Logger;
}): CertificateWatch {
  const standing = createStanding("certificate_refused", {
    clock,
    log,
    field: "endpoint",
    words: { begin: "the endpoint's certificate is refused", end: "the endpoint's certificate is accepted" },
  });
  let count = 0;
  const say = (label: string, detail: string | null): void => {
    standing.say(label, detail);
    count = standing.findings().length;
  };
  return {
    ended(label, outcome) {
      if (outcome.kind === "tls" && refusesCertificate(outcome.code)) {
        say(label, `its certificate is refused: ${outcome.code}`);
      } else if (count > 0 && outcomeStatus(outcome) !== undefined) say(label, null);
    },
    forget: (label) => say(label, null),
    findings: () => standing.findings(),
  };
}

import * as v from "valibot";
import { rateSteps, type Rates } from "../rates.ts";
import { count, text } from "./answer-kinds.ts";
import { isoTime } from "./reply.ts";

/** Rates in an answer, for its description. */
export const ratesAnswer = () => {
  const steps = (description: string) => v.pipe(v.array(count("Of one step.")), v.description(description));
  return v.pipe(
    v.object({
      step_ms: count("Length of a step."),
      ends_at: v.nullable(text("When the last step ends, which is the one under way.")),
      delivered: steps("Deliveries accepted."),
      failed: steps("Attempts that failed."),
      dead: steps("Deliveries given up after an attempt."),
    }),
    v.description(`The last five minutes of this process in ${rateSteps} steps, the oldest first.`),
  );
};

const quiet = Array.from({ length: rateSteps }, () => 0);

/** An example of `ratesAnswer`. */
export const ratesExample = {
  step_ms: 5_000,
  ends_at: "2026-12-01T12:00:05.000Z",
  delivered: [...quiet.slice(1), 3],
  failed: quiet,
  dead: quiet,
};

/** Rates as the API shows them: counts by step of the last five minutes in this process, the oldest first. */
export function describeRates({ stepMs, endsAt, delivered, failed, dead }: Rates): Record<string, unknown> {
  return { step_ms: stepMs, ends_at: isoTime(endsAt), delivered, failed, dead };
}

import type { Clock } from "../clock.ts";
import type { Cut } from "../delivery/cut.ts";
import { describeOutcome, outcomeKinds, outcomeStatus, type Outcome } from "../delivery/outcome.ts";
import { sendSigned } from "../delivery/send-signed.ts";
import { createAttemptTrace } from "../delivery/trace.ts";
import type { Transport } from "../delivery/transport.ts";
import type { Logger } from "../log.ts";
import type { HistogramSeries, Metrics, Series } from "../metrics.ts";
import type { Delivery } from "./delivery.ts";
import { messageHeaders } from "./message-headers.ts";

export interface AttemptDeps {
  readonly transportOf: (delivery: Delivery) => Transport;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** Whether attempts leave a trace for the history. Absent: none does. */
  readonly isTraced?: () => boolean;
  /** Whether an endpoint of this label is in force; those that are not get no series. Absent: all are. */
  readonly isInForce?: (label: string) => boolean;
}

/** Makes attempts. */
export interface Attempter {
  /** Signs, sends, counts and logs one attempt; never rejects but for a bug. */
  attempt(delivery: Delivery, cut: Cut): Promise<Outcome>;
  /** Lets go of the series of an endpoint that is gone. */
  forget(label: string): void;
}

/**
 * Makes attempts over the transport of each endpoint.
 *
 * One log line each: failures at info, deliveries at debug, so that a healthy queue at full speed does
 * not write a line per job. A receiver's failure is never an error of ours.
 */
export function createAttempter(deps: AttemptDeps): Attempter {
  const { metrics, log, isInForce = () => true, isTraced = () => false } = deps;
  const inFlight = metrics.inFlight.labels();
  const durations = new Map<string, HistogramSeries>();
  const outcomes = new Map<string, Series>();
  const latencies = new Map<string, HistogramSeries>();

  const count = (label: string, outcome: Outcome): void => {
    const key = `${outcome.kind} ${label}`;
    let series = outcomes.get(key);
    if (series === undefined) {
      if (!isInForce(label)) return;
      series = metrics.attempts.labels({ endpoint: label, outcome: outcome.kind });
      outcomes.set(key, series);
    }
    series.inc();
    let duration = durations.get(label);
    if (duration === undefined) {
      durations.set(label, (duration = metrics.attemptSeconds.labels({ endpoint: label })));
    }
    duration.observe(outcome.durationMs / 1000);
  };

  /** No clock is read for it: the attempt's start and duration are known. */
  const countDelivered = ({ held, enqueuedAt }: Delivery, deliveredAt: number): void => {
    if (enqueuedAt === null) return;
    const { queue } = held.lease;
    let latency = latencies.get(queue);
    if (latency === undefined) {
      latencies.set(queue, (latency = metrics.enqueueToDelivery.labels({ queue })));
    }
    // The backend's clock may be ahead of ours.
    latency.observe(Math.max(0, deliveredAt - enqueuedAt) / 1000);
  };

  const finish = (delivery: Delivery, outcome: Outcome, startedAt: number): Outcome => {
    const { endpoint } = delivery;
    count(endpoint.label, outcome);
    if (outcome.kind === "delivered") countDelivered(delivery, startedAt + outcome.durationMs);
    const level = outcome.kind === "delivered" ? "debug" : "info";
    if (level === "info" || log.level === "debug") {
      log[level]("attempt", {
        queue: delivery.held.lease.queue,
        job_id: delivery.jobId,
        delivery_id: delivery.id,
        traceparent: delivery.job.traceparent,
        endpoint: endpoint.label,
        attempt: delivery.attempt,
        outcome: outcome.kind,
        status: outcomeStatus(outcome),
        duration_ms: Math.round(outcome.durationMs * 10) / 10,
        ...(outcome.kind === "delivered" ? {} : { detail: describeOutcome(outcome) }),
      });
    }
    return outcome;
  };

  return {
    async attempt(delivery, cut) {
      inFlight.inc();
      const trace = isTraced() ? createAttemptTrace() : null;
      delivery.trace = trace;
      const nowMs = deps.clock.now();
      try {
        const outcome = await sendSigned(deps.transportOf(delivery), {
          endpoint: delivery.endpoint,
          deliveryId: delivery.id,
          body: delivery.content,
          nowMs,
          cut,
          trace,
          traceparent: delivery.job.traceparent,
          ...(delivery.job.kind === "raw" ? { details: messageHeaders(delivery) } : undefined),
        });
        return finish(delivery, outcome, nowMs);
      } finally {
        inFlight.inc(-1);
      }
    },
    forget(label) {
      durations.delete(label);
      metrics.attemptSeconds.remove({ endpoint: label });
      for (const outcome of outcomeKinds) {
        outcomes.delete(`${outcome} ${label}`);
        metrics.attempts.remove({ endpoint: label, outcome });
      }
    },
  };
}

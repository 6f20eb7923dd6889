/**
 * Prometheus metrics, text format 0.0.4 (https://prometheus.io/docs/instrumenting/exposition_formats/).
 *
 * Our own small registry: a delivery touches several series, and a bound handle is one addition,
 * where a client library would hash the label values each time.
 */

export type Labels = Readonly<Record<string, string>>;

/** One counter or gauge series. */
export interface Series {
  inc(by?: number): void;
  set(value: number): void;
  readonly value: number;
}

/** One histogram series; observations in seconds. */
export interface HistogramSeries {
  observe(seconds: number): void;
}

/** A named metric; `labels(…)` gives the series of these label values, made at first use and kept. */
export interface Metric<S> {
  labels(values?: Labels): S;
  /** Forgets the series of these label values, where there is one. */
  remove(values: Labels): void;
  /** Forgets all series: for gauges whose objects come and go, before they are set anew. */
  clear(): void;
}

export interface MetricsRegistry {
  counter(name: string, help: string): Metric<Series>;
  gauge(name: string, help: string): Metric<Series>;
  histogram(name: string, help: string, buckets: readonly number[]): Metric<HistogramSeries>;
  /** Run before each rendering, to set gauges that are read rather than counted. */
  onCollect(collect: () => void | Promise<void>): void;
  /** The exposition text. */
  render(): Promise<string>;
}

export function createMetricsRegistry(): MetricsRegistry {
  const families = new Map<string, { type: string; help: string; write: (out: string[]) => void }>();
  const collectors: (() => void | Promise<void>)[] = [];

  const register = <S extends Written>(
    name: string,
    type: string,
    help: string,
    create: (labels: Labels) => S,
  ): Metric<S> => {
    const all = new Map<string, S>();
    families.set(name, {
      type,
      help,
      write(out) {
        for (const series of all.values()) series.write(out);
      },
    });
    return {
      labels(values = {}) {
        const key = labelText(values);
        let series = all.get(key);
        if (series === undefined) all.set(key, (series = create(values)));
        return series;
      },
      remove: (values) => void all.delete(labelText(values)),
      clear: () => all.clear(),
    };
  };
  const number = (name: string, type: string, help: string): Metric<Series> =>
    register(name, type, help, (labels) => new NumberSeries(`${name}${labelText(labels)}`));

  return {
    counter: (name, help) => number(name, "counter", help),
    gauge: (name, help) => number(name, "gauge", help),
    histogram: (name, help, buckets) =>
      register(name, "histogram", help, (labels) => createHistogram(name, labels, buckets)),
    onCollect: (collect) => void collectors.push(collect),
    async render() {
      for (const collect of collectors) await collect();
      const out: string[] = [];
      for (const [name, family] of families) {
        out.push(`# HELP ${name} ${family.help}`, `# TYPE ${name} ${family.type}`);
        family.write(out);
      }
      return `${out.join("\n")}\n`;
    },
  };
}

/**
 * A series writes its own lines. Their text up to the value is made once: with thousands of series, making it at each
 * scrape would take most of the scrape's time, and nothing else of the process runs meanwhile.
 */
interface Written {
  write(out: string[]): void;
}

/** A class, because thousands of them are made at a scrape, and none has functions of its own. */
class NumberSeries implements Series, Written {
  value = 0;
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  inc(by = 1): void {
    this.value += by;
  }

  set(value: number): void {
    this.value = value;
  }

  write(out: string[]): void {
    out.push(`${this.#text} ${this.value}`);
  }
}

function createHistogram(
  name: string,
  labels: Labels,
  buckets: readonly number[],
): HistogramSeries & Written {
  const bounds = [...buckets.map(String), "+Inf"].map(
    (le) => `${name}_bucket${labelText({ ...labels, le })}`,
  );
  const own = labelText(labels);
  const counts = Array.from({ length: buckets.length + 1 }, () => 0);
  const firsts = firstBuckets(buckets);
  let sum = 0;
  return {
    observe(seconds: number): void {
      // Observations are made for each delivery: most buckets are skipped by the number of bits of the milliseconds.
      let index = firsts[32 - Math.clz32(Math.min(seconds * 1000, 0xffff_ffff))] as number;
      while (index < buckets.length && seconds > (buckets[index] as number)) index += 1;
      counts[index] = (counts[index] as number) + 1;
      sum += seconds;
    },
    write(out) {
      let total = 0;
      for (const [index, text] of bounds.entries()) {
        total += counts[index] as number;
        out.push(`${text} ${total}`);
      }
      out.push(`${name}_sum${own} ${sum}`, `${name}_count${own} ${total}`);
    },
  };
}

/** By the number of bits of the whole milliseconds: the first bucket that may hold an observation. */
function firstBuckets(buckets: readonly number[]): readonly number[] {
  return Array.from({ length: 33 }, (_, bits) => {
    const leastSeconds = bits === 0 ? 0 : 2 ** (bits - 1) / 1000;
    const first = buckets.findIndex((bound) => bound >= leastSeconds);
    return first === -1 ? buckets.length : first;
  });
}

function labelText(labels: Labels): string {
  let text = "";
  for (const name in labels) text += `${text === "" ? "{" : ","}${name}="${escaped(labels[name] as string)}"`;
  return text === "" ? "" : `${text}}`;
}

function escaped(value: string): string {
  if (!/[\\"\n]/.test(value)) return value;
  return value.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n");
}

/** Every metric hookline exports. Endpoint labels are names, never URLs: a URL may hold a secret. */
export function createMetrics(registry: MetricsRegistry = createMetricsRegistry()) {
  return {
    registry,
    enqueued: registry.counter("hookline_jobs_enqueued_total", "Jobs the driver took at enqueue, by queue."),
    duplicates: registry.counter(
      "hookline_jobs_duplicate_total",
      "Jobs not enqueued again because they were there, by queue.",
    ),
    discarded: registry.counter(
      "hookline_jobs_discarded_total",
      "Jobs counted and dropped because the driver is none, by queue.",
    ),
    rejected: registry.counter("hookline_jobs_rejected_total", "Jobs refused at enqueue, by queue and code."),
    leased: registry.counter("hookline_jobs_leased_total", "Leases taken, by queue."),
    settled: registry.counter("hookline_jobs_settled_total", "Leases ended, by queue and disposition."),
    lost: registry.counter(
      "hookline_leases_lost_total",
      "Leases that had ended before they were settled, by queue.",
    ),
    reclaimed: registry.counter(
      "hookline_leases_reclaimed_total",
      "Leases that ended unsettled and were made ready again, by queue.",
    ),
    evicted: registry.counter(
      "hookline_jobs_evicted_total",
      "Jobs dropped because the memory queue was full, by queue.",
    ),
    historyDropped: registry.counter(
      "hookline_history_dropped_total",
      "Attempts left out of the history on disk because it could not be written as fast, by kind.",
    ),
    trimmed: registry.counter(
      "hookline_dead_letters_trimmed_total",
      "Dead letters dropped by failed_retention, by queue.",
    ),
    deadLettered: registry.counter(
      "hookline_jobs_dead_lettered_total",
      "Jobs and deliveries given up, by queue and reason.",
    ),
    expanded: registry.counter(
      "hookline_jobs_expanded_total",
      "Deliveries made beyond the first when a job with several endpoints became one each, by queue.",
    ),
    removed: registry.counter(
      "hookline_dead_letters_removed_total",
      "Dead letters removed by an operator, by queue.",
    ),
    cancelled: registry.counter(
      "hookline_jobs_cancelled_total",
      "Waiting jobs removed by an operator, by queue.",
    ),
    redriven: registry.counter(
      "hookline_dead_letters_redriven_total",
      "Dead letters made ready again, by queue.",
    ),
    filteredOut: registry.counter("hookline_jobs_filtered_out_total", "Jobs no endpoint wanted, by queue."),
    attempts: registry.counter("hookline_attempts_total", "Delivery attempts, by endpoint and outcome."),
    attemptSeconds: registry.histogram(
      "hookline_attempt_duration_seconds",
      "Duration of delivery attempts, by endpoint.",
      [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    ),
    enqueueToDelivery: registry.histogram(
      "hookline_enqueue_to_delivery_seconds",
      "Time from a job's enqueue to its acceptance by an endpoint, retries and delays included, by queue; absent jobs are those whose enqueue time the backend does not tell.",
      [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 43_200, 172_800],
    ),
    inFlight: registry.gauge("hookline_attempts_in_flight", "Attempts in flight in this process."),
    depth: registry.gauge(
      "hookline_queue_depth",
      "Jobs by queue and state (ready, delayed, leased, parked, dead).",
    ),
    deadBytes: registry.gauge(
      "hookline_dead_bytes",
      "Bytes that a queue's dead letters take, their bodies and what is kept beside them; absent where the backend cannot tell.",
    ),
    oldestReadyAge: registry.gauge(
      "hookline_queue_oldest_ready_age_seconds",
      "Age of the oldest ready job, by queue.",
    ),
    queuePaused: registry.gauge("hookline_queue_paused", "1 while the queue is paused, else 0, by queue."),
    rank: registry.gauge(
      "hookline_queue_rank",
      "Rank of this process' configuration among those that consume the queue, by queue (redis).",
    ),
    behind: registry.gauge(
      "hookline_queue_behind",
      "1 while processes of a newer configuration keep this one from taking jobs of the queue, by queue (redis).",
    ),
    endpointState: registry.gauge(
      "hookline_endpoint_state",
      "1 for the state an endpoint is in, 0 for the others (closed, half_open, open: its breaker; paused, disabled).",
    ),
    endpointBacklog: registry.gauge(
      "hookline_endpoint_backlog",
      "Jobs that wait for an endpoint: parked in the backend, where it can tell, and waiting in this process.",
    ),
    endpointOldestAge: registry.gauge(
      "hookline_endpoint_oldest_age_seconds",
      "Age of the oldest of an endpoint's backlog.",
    ),
    endpoints: registry.gauge("hookline_endpoints", "Endpoints of the configuration, by state."),
    backlog: registry.gauge("hookline_endpoints_backlog", "The backlog of all endpoints."),
    oldestAge: registry.gauge(
      "hookline_endpoints_oldest_age_seconds",
      "Age of the oldest of all endpoints' backlog.",
    ),
    restarts: registry.counter(
      "hookline_worker_restarts_total",
      "Restarts of supervised children, by child; all loops of a queue are one.",
    ),
    progressAge: registry.gauge(
      "hookline_worker_progress_age_seconds",
      "Time since a child's last progress, by child; of a queue's loops, the one that is silent longest.",
    ),
    buildInfo: registry.gauge(
      "hookline_build_info",
      "Always 1; version, commit and platform of the executable, and the driver in use.",
    ),
    memory: registry.gauge("hookline_process_resident_memory_bytes", "Resident memory of the process."),
    uptime: registry.gauge("hookline_process_uptime_seconds", "Time since start."),
    problems: registry.gauge("hookline_problems", "Problems that stand now, by kind and severity."),
    reloads: registry.counter(
      "hookline_config_reloads_total",
      "Reloads of the configuration, by result (reloaded, unchanged, refused).",
    ),
    lastReload: registry.gauge(
      "hookline_config_last_reload_timestamp_seconds",
      "When a reload was accepted last, and when one was refused last; absent before the first.",
    ),
    httpRequests: registry.counter(
      "hookline_http_requests_total",
      "Admin API requests, by route and status.",
    ),
  } as const;
}

export type Metrics = ReturnType<typeof createMetrics>;

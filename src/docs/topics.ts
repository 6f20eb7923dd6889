/** One page of docs/, as it is inside the executable. */
export interface Topic {
  /** The page's file is docs/NAME.md. */
  readonly name: string;
  /** What a reader asks who needs the page, in at most 60 characters. */
  readonly question: string;
  /** The page's Markdown. Links to other pages are relative, as `redis.md#tls`. */
  load(): Promise<string>;
}

/** What an import of a page gives. */
type Page = Promise<{ readonly default: string }>;

/**
 * All pages, in the order in which a newcomer reads them.
 *
 * Each is loaded when somebody asks for it, so that a start does not pay for them.
 */
export const topics: readonly Topic[] = [
  topic(
    "concepts",
    "what happens to a job, and what the words mean",
    () => import("../../docs/concepts.md", { with: { type: "text" } }),
  ),
  topic(
    "configuration",
    "how to configure it, and change it while it runs",
    () => import("../../docs/configuration.md", { with: { type: "text" } }),
  ),
  topic(
    "settings",
    "every key of the configuration",
    () => import("../../docs/settings.md", { with: { type: "text" } }),
  ),
  topic(
    "api",
    "how to enqueue, look and act over HTTP",
    () => import("../../docs/api.md", { with: { type: "text" } }),
  ),
  topic(
    "history",
    "how deliveries are remembered, and read with sqlite3",
    () => import("../../docs/history.md", { with: { type: "text" } }),
  ),
  topic(
    "receivers",
    "how to verify a webhook, in six languages",
    () => import("../../docs/receivers.md", { with: { type: "text" } }),
  ),
  topic(
    "file",
    "how the driver file keeps jobs",
    () => import("../../docs/file.md", { with: { type: "text" } }),
  ),
  topic("redis", "how to run on Redis", () => import("../../docs/redis.md", { with: { type: "text" } })),
  topic("sqs", "how to run on SQS", () => import("../../docs/sqs.md", { with: { type: "text" } })),
  topic(
    "soketi",
    "how to move in from Soketi",
    () => import("../../docs/soketi.md", { with: { type: "text" } }),
  ),
  topic(
    "sockudo",
    "how to move in from Sockudo",
    () => import("../../docs/sockudo.md", { with: { type: "text" } }),
  ),
  topic(
    "shoryuken",
    "how to take messages of Shoryuken and the AWS SDKs",
    () => import("../../docs/shoryuken.md", { with: { type: "text" } }),
  ),
  topic(
    "operations",
    "how to run it, and what to do about a problem",
    () => import("../../docs/operations.md", { with: { type: "text" } }),
  ),
  topic(
    "container",
    "how to run it in a container, on Compose or Kubernetes",
    () => import("../../docs/container.md", { with: { type: "text" } }),
  ),
  topic(
    "messages",
    "what a line of the log means, and what to do",
    () => import("../../docs/messages.md", { with: { type: "text" } }),
  ),
  topic("metrics", "every metric", () => import("../../docs/metrics.md", { with: { type: "text" } })),
  topic(
    "security",
    "what is trusted, and what is kept secret",
    () => import("../../docs/security.md", { with: { type: "text" } }),
  ),
  topic(
    "performance",
    "how fast it is, and how to measure it",
    () => import("../../docs/performance.md", { with: { type: "text" } }),
  ),
  topic(
    "proof",
    "how its promises are tried, and what came of it",
    () => import("../../docs/proof.md", { with: { type: "text" } }),
  ),
  topic(
    "contributing",
    "how to work on it",
    () => import("../../docs/contributing.md", { with: { type: "text" } }),
  ),
];

/** The topic of that name; undefined when there is none. */
export function findTopic(name: string): Topic | undefined {
  return topics.find((topic) => topic.name === name);
}

/** All names, for "did you mean". */
export const topicNames: readonly string[] = topics.map(({ name }) => name);

function topic(name: string, question: string, page: () => Page): Topic {
  return { name, question, load: async () => (await page()).default };
}

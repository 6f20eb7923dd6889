import type { CommandEntry } from "./command-entry.ts";
import { receiverCommands } from "./receiver-commands.ts";

export type { CommandEntry } from "./command-entry.ts";

const serverFlags = `  --url URL        the server (default: $HOOKLINE_URL, else this machine's as configured,
                   without a configuration http://127.0.0.1:9640)
  --token TOKEN    its server.token (default: $HOOKLINE_TOKEN or $HOOKLINE_TOKEN_FILE)
  --config FILE    the configuration that says where this machine's server listens
  --json           print the server's answer as JSON`;

const configFlags = `  --config FILE    default: $HOOKLINE_CONFIG, else ./hookline.json if it exists
  --set PATH=VALUE set one key, as in --set queue.redis.concurrency=20; repeatable
  --queue NAME     consume this queue; repeatable`;

/** Every command, in the order of help. */
export const commands: readonly CommandEntry[] = [
  {
    name: "serve",
    synopsis: "[--config FILE] [--set PATH=VALUE]... [--queue NAME]...",
    summary: "take jobs in and deliver them",
    example: "hookline serve --config hookline.json",
    details: `${configFlags}

Logs go to stderr, one JSON object a line. SIGTERM, SIGINT or SIGHUP drains: readiness goes 503, leasing stops,
attempts in flight finish within queue.reliability.shutdown_timeout_ms. A second signal skips the wait.
Exit codes: 0 drained, 1 failed or restart intensity exceeded, 2 usage, 78 configuration.`,
    load: async () => (await import("./serve.ts")).serve,
  },
  {
    name: "demo",
    synopsis: "[--keep | --durable]",
    summary: "the product in ten seconds",
    example: "hookline demo",
    details: `  --keep           stay up afterwards, until Ctrl-C
  --durable        the driver file: 20 events are accepted while the receiver is down, hookline is killed
                   with SIGKILL, started again, and delivers them all

Starts a server on the memory driver and a local receiver, posts sample events, and prints each
delivery whose signature the receiver verified, a retried one among them.`,
    load: async () => (await import("./demo.ts")).demo,
  },
  {
    name: "config",
    synopsis: "check|print|schema [--config FILE] [--set PATH=VALUE]... [--queue NAME]...",
    summary: "check a configuration, or show it",
    example: "hookline config check",
    details: configFlags,
    load: async () => (await import("./config.ts")).config,
  },
  {
    name: "health",
    synopsis: "[--ready] [--url URL] [--json]",
    summary: "ask a server whether it is well",
    example: "hookline health --ready",
    details: `  --ready          readiness (driver answers, loops run, nothing drains) instead of liveness
${serverFlags}

Exit code 0 when it is, 1 when it is not or does not answer within 3 seconds. Made for HEALTHCHECK.`,
    load: async () => (await import("./health.ts")).health,
  },
  {
    name: "reload",
    synopsis: "[--partial] [--url URL] [--json]",
    summary: "read the configuration again",
    example: "hookline reload",
    details: `  --partial        put in force what can be, where other keys need a restart
${serverFlags}

The server reads its file, and those that NAME_FILE variables name, anew; its environment and flags are those it
was started with. Prints the keys that changed. When anything is wrong, nothing changes: every issue is printed, and
the exit code is 78.`,
    load: async () => (await import("./reload.ts")).reload,
  },
  {
    name: "status",
    synopsis: "[--url URL] [--json]",
    summary: "what needs you, and the queues",
    example: "hookline status",
    details: `${serverFlags}

Lists what needs somebody, the gravest first, each with since when, what it is about and what to do; then the queues
with their counts. - stands for what the backend cannot tell.
Exit code 0 when there is no problem of severity error, 1 when there is one or the server does not answer.`,
    load: async () => (await import("./status.ts")).status,
  },
  {
    name: "enqueue",
    synopsis: "QUEUE [FILE|-] [--idempotency-key KEY] [--url URL] [--json]",
    summary: "post jobs from a file or stdin",
    example: "hookline enqueue webhooks jobs.json",
    details: `  --idempotency-key KEY  the same file again under this key enqueues nothing twice
${serverFlags}

Posts the bytes as they are: one job or an array of jobs, in any form the server takes. Prints the id
of each job, one a line. Exit code 1 when any job was refused; the others are enqueued.`,
    load: async () => (await import("./enqueue.ts")).enqueue,
  },
  {
    name: "queues",
    sharesLine: "list, pause, test what a server has",
    synopsis: "[ls|show|pause|resume] [QUEUE...] [--url URL] [--json]",
    summary: "the queues; pause, resume them",
    example: "hookline queues",
    details: `${serverFlags}

Lists the queues with their counts; - stands for what the backend cannot tell. On redis a pause holds for all processes.
Exit code 1 when the server refused one that was named.`,
    load: async () => (await import("./queues.ts")).queues,
  },
  {
    name: "endpoints",
    sharesLine: "list, pause, test what a server has",
    synopsis: "[ls|show|pause|resume|disable|enable|test] [ENDPOINT...] [--url URL] [--json]",
    summary: "the receivers; pause, test them",
    example: "hookline endpoints test shop/orders",
    details: `  --sort ORDER     ls: attention puts those first that need somebody; default: name
${serverFlags}

ENDPOINT is a label: app/name, or the name of a named endpoint. Lists mode and breaker of each, its attempts in flight and
the jobs that wait for it. disable makes dead letters of its jobs, pause keeps them. test sends one signed delivery now;
exit code 1 when it was not accepted.`,
    load: async () => (await import("./endpoints.ts")).endpoints,
  },
  {
    name: "jobs",
    synopsis: "ls|show|run|cancel [QUEUE] [ID...] [FILTER]... [--url URL] [--json]",
    summary: "find, run, cancel waiting jobs",
    example: "hookline jobs ls webhooks --state parked",
    details: `  --state STATE    ready (the default of ls), delayed, leased or parked
  --refs           run, cancel: the names that follow are refs, as ls lists them, and not ids
  --all            run, cancel: everything that waits when it starts
${serverFlags}

Filters, all of which must fit: --app ID, --endpoint LABEL, --event NAME, --job-id ID, --since TIME and --until TIME of its
enqueue (ISO 8601, epoch ms; of time ago as --since=-15m). show says where a job is, by its id or its delivery's; --queue NAME
looks in one queue. run makes delayed and parked jobs ready now; cancel removes what waits. An id stands for all deliveries
of its job; a leased job is left alone. Exit code 1 when one that was named was left as it was.`,
    load: async () => (await import("./jobs.ts")).jobs,
  },
  {
    name: "dead",
    synopsis: "ls|summary|redrive|rm QUEUE [ID...] [FILTER]... [--all] [--url URL] [--json]",
    summary: "list, redrive, remove dead letters",
    example: "hookline dead redrive webhooks --all",
    details: `  --all            redrive, rm: all that are there when it starts
  --max N          at most so many, the oldest
  --dry-run        redrive, rm: only say how many
  --per-second N   redrive, rm: at most so many in a second
  --to ENDPOINT    redrive: to another endpoint of the same app, or -/NAME for a named one
${serverFlags}

Filters, all of which must fit: --app ID, --endpoint LABEL, --event NAME, --reason REASON, --status STATUS (404, 5xx),
--job-id ID, --since TIME and --until TIME (ISO 8601, epoch ms; of time ago as -15m). summary counts by endpoint and
reason. redrive makes them ready again with their attempts reset. A job's id stands for all its deliveries. Interrupted, it goes
on in the server: see hookline operations. Exit code 1 when an id was not there.`,
    load: async () => (await import("./dead.ts")).dead,
  },
  {
    name: "operations",
    sharesLine: "list, pause, test what a server has",
    synopsis: "ls|show|stop [ID] [--url URL] [--json]",
    summary: "bulk requests that run, or ran",
    example: "hookline operations ls",
    details: `${serverFlags}

Lists the redrives, removals, resends and re-encryptions that the server runs, and the last 100 that ran. stop ends one after
the step it is at; what was done stays done, and the same request again does the rest.`,
    load: async () => (await import("./operations.ts")).operations,
  },
  {
    name: "deliveries",
    synopsis: "ls|show|resend [ID...] [FILTER]... [--url URL] [--json]",
    summary: "find deliveries, and send them again",
    example: "hookline deliveries ls --status 5xx",
    details: `${serverFlags}

Filters, all of which must fit: --queue NAME, --app ID, --endpoint LABEL, --event NAME, --job-id ID, --reason REASON,
--outcome OUTCOME and --status STATUS (404, 5xx) of the last attempt, --state STATE (delivered, retrying, dead, released, cancelled),
--since TIME and --until TIME (ISO 8601, epoch ms; of time ago as --since=-15m). The server remembers its last deliveries
only. resend prints the ids of the new jobs; with filters, how many. Exit code 1 when any was refused.`,
    load: async () => (await import("./deliveries.ts")).deliveries,
  },
  {
    name: "apps",
    sharesLine: "list, pause, test what a server has",
    synopsis: "ls|get|put|rm|reencrypt [ID...] [FILE|-] [--url URL] [--json]",
    summary: "list, store, remove a server's apps",
    example: "hookline apps put shop shop.json",
    details: `${serverFlags}
  --dry-run        put: check it, and store nothing

put stores an app as the configuration would hold it; a secret that it leaves out stays. reencrypt encrypts what is
stored under a previous key with the current one, after the two were swapped in every process.`,
    load: async () => (await import("./apps.ts")).apps,
  },
  {
    name: "sqs",
    synopsis: "ls|stats|create|dump|requeue|mv|redrive|purge|delete ...",
    summary: "work on SQS queues directly",
    example: "hookline sqs mv orders-dead orders",
    details: `  --endpoint URL   an emulator (default: queue.sqs.endpoint_url)
  --region REGION  default: queue.sqs.region, else $AWS_REGION
  --config FILE    default: $HOOKLINE_CONFIG, else ./hookline.json if it exists
  --json           print the result of ls and stats as JSON

QUEUE is a name, a URL or an ARN. create also takes --visibility-timeout SECONDS and --no-dead-letter-queue. dump without
--delete leaves the messages where they are. mv and requeue delete nothing that was not confirmed sent, and give
messages to a FIFO queue fresh deduplication ids, unless --keep-ids: within five minutes SQS would swallow
those it has seen. --group is for messages that have none. Exit code 1 when anything was left behind.`,
    load: async () => (await import("./sqs.ts")).sqs,
  },
  {
    name: "store",
    synopsis: "check|dump|salvage|backup [--path DIR] [--to DIR]",
    summary: "work on the driver file's store",
    example: "hookline store backup --to /backup/today",
    details: `  --path DIR       the store (default: queue.file.path of the configuration)
  --to DIR         salvage, backup: a new folder
  --config FILE    default: $HOOKLINE_CONFIG, else ./hookline.json if it exists

check    reads everything and lists what is damaged, exit 1 when that is anything
dump     all jobs and dead letters as JSON Lines
salvage  writes what can be read to a new store, and lists what cannot
backup   copies a store that may be in use; the copy is a store

None of them changes the store. After salvage, jobs whose ack stood in a damaged place are delivered again, with the
same webhook-id.`,
    load: async () => (await import("./store.ts")).store,
  },
  ...receiverCommands,
  {
    name: "completion",
    sharesLine: "about the program itself",
    synopsis: "bash|zsh|fish",
    summary: "print a completion for your shell",
    example: "hookline completion bash",
    details: `bash: source <(hookline completion bash), in ~/.bashrc
zsh: hookline completion zsh > FOLDER/_hookline, a folder of $fpath
fish: hookline completion fish > ~/.config/fish/completions/hookline.fish`,
    load: async () => (await import("./completion.ts")).completion,
  },
  {
    name: "man",
    sharesLine: "about the program itself",
    synopsis: "",
    summary: "print the manual page",
    example: "hookline man | man -l -",
    details: "",
    load: async () => (await import("./man.ts")).man,
  },
  {
    name: "licenses",
    sharesLine: "about the program itself",
    synopsis: "",
    summary: "print the licences of what is inside",
    example: "hookline licenses",
    details: "",
    load: async () => (await import("./licenses.ts")).licenses,
  },
  {
    name: "openapi",
    sharesLine: "about the program itself",
    synopsis: "",
    summary: "print what the HTTP API takes and answers",
    example: "hookline openapi > openapi.json",
    details: "OpenAPI 3.1, for generators of clients: the same as GET /openapi.json. No server is asked.",
    load: async () => (await import("./openapi.ts")).openapi,
  },
  {
    name: "version",
    sharesLine: "about the program itself",
    synopsis: "[--json]",
    summary: "print the version and its commit",
    example: "hookline version",
    details: `  --json           print it as JSON

The first line is the version alone. Then, as far as they are known, the commit it was built from, when that
was committed, and the platform of the release.`,
    load: async () => (await import("./version.ts")).printVersion,
  },
  {
    name: "help",
    sharesLine: "about the program itself",
    synopsis: "[COMMAND [SUBCOMMAND] | [page] TOPIC]",
    summary: "this text, a command's, or a page",
    example: "hookline help serve",
    details: `hookline help page lists the pages of the documentation; hookline help page TOPIC prints one. On a terminal
it is laid out for reading; to a file or a pipe it is Markdown.`,
    load: async () => (await import("./help.ts")).help,
  },
];

/** The entry of a command; undefined when there is none of that name. */
export function findCommand(name: string): CommandEntry | undefined {
  return commands.find((entry) => entry.name === name);
}

/** All names, for "did you mean". */
export const commandNames: readonly string[] = commands.map((entry) => entry.name);

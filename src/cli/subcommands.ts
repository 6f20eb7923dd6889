/** One of a command's subcommands, as help shows it. */
export interface SubcommandEntry {
  /** What follows its name, as in `QUEUE ID...`. */
  readonly synopsis: string;
  readonly summary: string;
}

/** The subcommands of the commands that have some, in the order of help. */
export const subcommands: Readonly<Record<string, Readonly<Record<string, SubcommandEntry>>>> = {
  config: {
    check: { synopsis: "[--json]", summary: "say whether it can be used: every issue at once, exit 78" },
    print: {
      synopsis: "[--json]",
      summary: "what is in force, each value with its source, secrets redacted",
    },
    schema: { synopsis: "", summary: "JSON Schema of the configuration file, for editors" },
  },
  queues: {
    ls: { synopsis: "[--limit N] [--cursor CURSOR]", summary: "list them (what it does without a word)" },
    show: { synopsis: "QUEUE", summary: "one as JSON" },
    pause: { synopsis: "QUEUE...", summary: "take nothing more of it" },
    resume: { synopsis: "QUEUE...", summary: "go on" },
  },
  endpoints: {
    ls: {
      synopsis: "[--sort ORDER] [--limit N] [--cursor CURSOR]",
      summary: "list them (what it does without a word)",
    },
    show: { synopsis: "ENDPOINT", summary: "one as JSON, secrets masked" },
    pause: { synopsis: "ENDPOINT...", summary: "keep its jobs until it is resumed" },
    resume: { synopsis: "ENDPOINT...", summary: "deliver again" },
    disable: { synopsis: "ENDPOINT...", summary: "make dead letters of its jobs" },
    enable: { synopsis: "ENDPOINT...", summary: "deliver again, and forget its breaker" },
    test: { synopsis: "ENDPOINT...", summary: "send one signed delivery now" },
  },
  jobs: {
    ls: {
      synopsis: "QUEUE [--state STATE] [FILTER]... [--limit N] [--cursor CURSOR]",
      summary: "list what waits, in order",
    },
    show: { synopsis: "ID [--queue NAME]", summary: "where a job is, as JSON" },
    run: {
      synopsis: "QUEUE ID... | --refs REF... | FILTER... | --all",
      summary: "make delayed and parked ones ready now",
    },
    cancel: {
      synopsis: "QUEUE ID... | --refs REF... | FILTER... | --all",
      summary: "remove what waits, but what is leased",
    },
  },
  dead: {
    ls: {
      synopsis: "QUEUE [FILTER]... [--limit N] [--cursor CURSOR]",
      summary: "list them, the newest first",
    },
    summary: {
      synopsis: "QUEUE [--app ID] [--endpoint LABEL] [--reason REASON] [--limit N]",
      summary: "count them by endpoint and reason",
    },
    redrive: {
      synopsis: "QUEUE ID... | FILTER... | --all | --max N [--to ENDPOINT] [--dry-run] [--per-second N]",
      summary: "make them ready again",
    },
    rm: {
      synopsis: "QUEUE ID... | FILTER... | --all [--max N] [--dry-run] [--per-second N]",
      summary: "remove them for good (needs a token)",
    },
  },
  operations: {
    ls: { synopsis: "[--limit N] [--cursor CURSOR]", summary: "list them, the newest first" },
    show: { synopsis: "ID", summary: "one as JSON" },
    stop: { synopsis: "ID", summary: "end it after its step (needs a token)" },
  },
  deliveries: {
    ls: { synopsis: "[FILTER]... [--limit N] [--cursor CURSOR]", summary: "list them, the newest first" },
    show: { synopsis: "ID", summary: "one as JSON: attempts, headers, body" },
    resend: {
      synopsis: "ID... | FILTER... | --all [--new-id] [--dry-run] [--per-second N]",
      summary: "deliver again to the same endpoint",
    },
  },
  apps: {
    ls: {
      synopsis: "[--limit N] [--cursor CURSOR]",
      summary: "those of the configuration, and those that are stored",
    },
    get: { synopsis: "ID", summary: "one as JSON, secrets masked" },
    put: { synopsis: "ID [FILE|-] [--dry-run]", summary: "store it (needs a token)" },
    rm: { synopsis: "ID...", summary: "remove them (needs a token)" },
    reencrypt: { synopsis: "", summary: "encrypt anew what a previous key encrypts (needs a token)" },
  },
  sqs: {
    ls: { synopsis: "[PREFIX] [--watch [--interval SECONDS]]", summary: "queues and their counts" },
    stats: { synopsis: "QUEUE", summary: "counts and settings of a queue" },
    create: {
      synopsis: "QUEUE [--attribute NAME=VALUE]...",
      summary: "create it and its dead letter queue",
    },
    dump: {
      synopsis: "QUEUE [FILE] [--number N] [--delete]",
      summary: "messages to a file, one JSON object a line",
    },
    requeue: { synopsis: "QUEUE FILE|- [--group ID] [--keep-ids]", summary: "send what dump wrote" },
    mv: { synopsis: "FROM TO [--number N] [--group ID] [--keep-ids]", summary: "move messages" },
    redrive: { synopsis: "QUEUE [--number N]", summary: "dead letters back to their queue" },
    purge: { synopsis: "QUEUE [--yes]", summary: "delete every message" },
    delete: { synopsis: "QUEUE [--yes]", summary: "delete the queue itself" },
  },
  keys: {
    generate: {
      synopsis: "[--hmac|--ed25519]",
      summary: "a whsec_ key (the default), or a whsk_ key and its public half",
    },
    public: {
      synopsis: "KEY|- | --key-file FILE | --key-env NAME",
      summary: "the public half of a whsk_ key",
    },
  },
};

/** A command's subcommand; undefined where it has none of that name. */
export function findSubcommand(command: string, name: string): SubcommandEntry | undefined {
  const known = Object.hasOwn(subcommands, command) ? subcommands[command] : undefined;
  return known !== undefined && Object.hasOwn(known, name) ? known[name] : undefined;
}

/** The names of a command's subcommands; empty where it has none. */
export function subcommandNames(command: string): readonly string[] {
  return Object.hasOwn(subcommands, command) ? Object.keys(subcommands[command] ?? {}) : [];
}

/** A command's subcommands as aligned lines. */
export function subcommandLines(command: string): string {
  const rows = subcommandNames(command).map((name): [string, string] => {
    const { synopsis, summary } = findSubcommand(command, name) as SubcommandEntry;
    return [`${name} ${synopsis}`.trimEnd(), summary];
  });
  const width = Math.max(0, ...rows.map(([left]) => left.length));
  return rows.map(([left, summary]) => `  ${left.padEnd(width)}  ${summary}\n`).join("");
}

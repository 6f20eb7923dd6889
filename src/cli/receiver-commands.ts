import type { CommandEntry } from "./command-entry.ts";

const keyFlags = `  --key-file FILE  keys (whsec_, whsk_, whpk_), separated by spaces or lines; - is standard input
  --key-env NAME   the environment variable that holds them
  --key KEY        on the command line other users of this machine can read it
  --pusher-key KEY, and --pusher-secret-file FILE, --pusher-secret-env NAME or --pusher-secret SECRET
                   an app's key and secret, for x-pusher-key and x-pusher-signature`;

/** The commands for whoever writes a receiver, in the order of help. */
export const receiverCommands: readonly CommandEntry[] = [
  {
    name: "keys",
    sharesLine: "keys and signatures, for receivers",
    synopsis: "generate [--hmac|--ed25519] | public [KEY|-]",
    summary: "make signing keys, show public ones",
    example: "hookline keys generate",
    details: `Every library verifies a whsec_ key, which is shared with the receiver; of a whsk_ key the receiver needs only the
public half, whpk_, which \`generate --ed25519\` prints on the second line. \`public -\` reads the key from standard input.

A key goes into signing_keys of a webhook or an endpoint. Receivers can also fetch the public halves from
a running server, as JWKS at /.well-known/hookline-keys.`,
    load: async () => (await import("./keys.ts")).keys,
  },
  {
    name: "sign",
    sharesLine: "keys and signatures, for receivers",
    synopsis: "--key-file FILE [--id ID] [--timestamp T] [FILE|-]",
    summary: "sign a body, as deliveries are",
    example: "hookline sign --key-file key body.json",
    details: `${keyFlags}
  --id ID          webhook-id, default a new one
  --timestamp T    webhook-timestamp in seconds since 1970, default now

Prints the headers of a delivery whose body is exactly the file's bytes, as curl -H @FILE takes them.`,
    load: async () => (await import("./sign.ts")).sign,
  },
  {
    name: "verify",
    sharesLine: "keys and signatures, for receivers",
    synopsis: "--key-file FILE [--headers FILE] [--at TIME] [FILE|-]",
    summary: "check the signature of a saved one",
    example: "hookline verify --key-file key saved.txt",
    details: `${keyFlags}
  --headers FILE   the headers, as lines or JSON; FILE is then the body alone. Without it FILE is the
                   request as it came: headers, an empty line, the body
  --at TIME        hold webhook-timestamp against this time (seconds or ISO 8601) instead of now
  --tolerance S    seconds it may be off, default 300

Says ok, or exactly why not: a header missing, a timestamp too old, a body changed on the way. Exit 0 or 1.`,
    load: async () => (await import("./verify.ts")).verify,
  },
  {
    name: "listen",
    synopsis: "[--respond STATUS,...] [--delay MS] [--forward URL] [--port PORT]",
    summary: "a receiver that verifies and prints",
    example: "hookline listen --respond 500,200",
    details: `  --respond STATUS answers in turn, as in 500,200; the last one stays. Default: 200, and 401 to
                   what is not verified
  --delay MS       wait so long before each answer
  --forward URL    pass each request on, byte for byte, and answer what comes back. A URL without a path
                   takes the request's own
  --host HOST      where it listens, default 127.0.0.1
  --port PORT      default 9641; 0 takes any free one
${keyFlags}
  --config FILE    without a key: take all keys of this configuration (default: $HOOKLINE_CONFIG, else
                   ./hookline.json if it exists)
  --json           print JSON lines, as without a terminal

Prints one line an attempt: time, webhook-id, events, size, verified or why not, and what was answered. A request may be
signed in either way or both: each signature that a key was given for must fit. SIGINT, SIGTERM and SIGHUP end
it. Exit code 0 then, 1 when it cannot listen.`,
    load: async () => (await import("./listen.ts")).listen,
  },
];

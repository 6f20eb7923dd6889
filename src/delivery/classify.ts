/** A failure of the exchange itself, as an Outcome names it. */
export interface Fault {
  readonly kind: "dns" | "connect" | "tls" | "reset" | "protocol";
  readonly code: string;
}

/** Nothing was sent: another address of the same name may be tried at once. */
const connectCodes = new Set([
  "ECONNREFUSED",
  "ConnectionRefused",
  "EHOSTUNREACH",
  "EHOSTDOWN",
  "ENETUNREACH",
  "ENETDOWN",
  "EADDRNOTAVAIL",
  "EAFNOSUPPORT",
  "ETIMEDOUT",
  "EMFILE",
  "ENFILE",
  "EACCES",
  "EPERM",
  "FailedToOpenSocket",
]);
const dnsCodes = new Set(["ENOTFOUND", "EAI_AGAIN", "EAI_FAIL", "EAI_NODATA", "ESERVFAIL", "ETIMEOUT"]);
const resetCodes = new Set(["ECONNRESET", "EPIPE", "ECONNABORTED", "ERR_STREAM_PREMATURE_CLOSE"]);
const tlsCodes = new Set([
  "EPROTO",
  "CERT_HAS_EXPIRED",
  "CERT_NOT_YET_VALID",
  "CERT_REVOKED",
  "CERT_UNTRUSTED",
  "CERT_REJECTED",
  "CERT_SIGNATURE_FAILURE",
  "CERT_CHAIN_TOO_LONG",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "INVALID_CA",
  "INVALID_PURPOSE",
  "HOSTNAME_MISMATCH",
]);

/** Those of `tlsCodes` that are about the receiver's certificate. */
export function refusesCertificate(code: string): boolean {
  return tlsCodes.has(code) && code !== "EPROTO";
}

/**
 * What an exception of an exchange says about it, by its `code`, else its `name`; the codes are those of
 * sockets and TLS under Bun 1.4 and Deno, and http1's own (test/delivery/http.test.ts).
 * Aborts and deadlines are told apart before (deadline.ts): they are ours.
 *
 * Anything unknown is `protocol`, with the code or name it came with: the receiver did not answer, and
 * it must not crash the loop.
 */
export function classify(error: unknown): Fault {
  const { name, code, isSent } = (error ?? {}) as { name?: unknown; code?: unknown; isSent?: unknown };
  const text = codeOf(typeof code === "string" ? code : name);
  const kind = kindOf(text);
  return { kind: withSent(kind, isSent), code: text };
}

/**
 * A code as an outcome keeps it: at most 64 letters, digits, `_` and `-`; "unknown" for anything else.
 *
 * A peer may have a say in it. Taken out of a longer text, a secret would be one that no mask finds.
 */
export function codeOf(text: unknown): string {
  return typeof text === "string" && /^[A-Za-z0-9_-]{1,64}$/.test(text) ? text : "unknown";
}

/** The same codes come before a request is sent and after it, when the receiver may have seen it. */
function withSent(kind: Fault["kind"], isSent: unknown): Fault["kind"] {
  if (kind === "connect" && isSent === true) return "reset";
  return kind === "reset" && isSent === false ? "connect" : kind;
}

function kindOf(code: string): Fault["kind"] {
  if (connectCodes.has(code) || code.startsWith("ERR_PROXY_TUNNEL")) return "connect";
  if (resetCodes.has(code)) return "reset";
  if (dnsCodes.has(code) || code.startsWith("DNS_")) return "dns";
  if (tlsCodes.has(code) || code.startsWith("ERR_TLS_") || code.startsWith("ERR_SSL_")) return "tls";
  return "protocol";
}

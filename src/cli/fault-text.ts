/** The system's error codes in words, for files and for what is written. */
const fileReasons: Readonly<Record<string, string>> = {
  ENOENT: "no such file",
  ENOTDIR: "no such file",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EISDIR: "it is a directory",
  ELOOP: "its symbolic links lead in a circle",
  ENOSPC: "no space left on the device",
  EDQUOT: "the disk quota is used up",
  EFBIG: "it would become larger than it may",
  EIO: "the device failed",
  EBADF: "it is closed",
};

/** Why a file or an output cannot be used, without the path and the call that the system's own words name. */
export function describeFileFault(error: unknown): string {
  const { code, message } = error as { code?: string; message?: string };
  return fileReasons[code ?? ""] ?? code ?? message ?? String(error);
}

/** What each cause looks like: in the code on Bun, in the text, or the cause's, on Deno. */
const networkReasons: readonly (readonly [pattern: RegExp, reason: string])[] = [
  [/ECONNREFUSED|connection refused/i, "nothing listens there"],
  [/ENOTFOUND|EAI_AGAIN|dns error|getaddrinfo/i, "its name cannot be resolved"],
  [/EHOSTUNREACH|ENETUNREACH|unreachable/i, "there is no way to it in the network"],
  [/malformed_http|invalid HTTP|InvalidHTTP/i, "what answers there does not speak HTTP"],
  [/EPROTO|TLS|SSL|CERT|corrupt message/i, "TLS cannot be agreed on with what answers there"],
  [/ECONNRESET|EPIPE|ECONNABORTED|reset by peer|closed/i, "it cut the connection before it had answered"],
];

/** Why a server gave no answer. */
export function describeNetworkFault(error: unknown): string {
  const { code, message, cause } = error as { code?: string; message?: string; cause?: unknown };
  const text = `${code ?? ""} ${message ?? ""} ${cause instanceof Error ? cause.message : ""}`;
  const known = networkReasons.find(([pattern]) => pattern.test(text));
  return known?.[1] ?? code ?? message ?? String(error);
}

/**
 * Hosts in a text, for what anyone may read. An error of the system or a client library names the address it
 * failed at in one of these ways; a secret is masked before.
 */
const hosts = [
  // getaddrinfo ENOTFOUND redis.internal
  /(?<=\b(?:ENOTFOUND|EAI_AGAIN|ENODATA) )[^\s,;:]+(?::\d+)?/g,
  // redis://user@redis.internal:6379/0
  /\b(?:rediss?|https?):\/\/\S+/g,
  // [::1]:6379
  /\[[0-9a-f:.]+\](?::\d+)?/gi,
  // fe80::1 and ::1, with a colon and a port as Node writes them
  /(?<![\w:])(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(?::\d+)?(?![\w:])/gi,
  // 10.0.0.1:6379
  /\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b/g,
  // redis.internal:6379, redis:6379
  /\b[a-z0-9](?:[a-z0-9.-]{0,252}[a-z0-9])?:\d{2,5}\b/gi,
  // sqs.eu-central-1.amazonaws.com
  /\b(?:[a-z0-9-]{1,63}\.){2,}[a-z]{2,}\b/gi,
];

/** The text with `(host)` for every host, address and URL in it. */
export function withoutHosts(text: string): string {
  return hosts.reduce((rest, pattern) => rest.replace(pattern, "(host)"), text);
}

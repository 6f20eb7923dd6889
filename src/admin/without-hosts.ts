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
  /(?<![a-z0-9.-])[a-z0-9.-]{1,254}:\d{2,5}\b/gi,
];

/** The text with `(host)` for every host, address and URL in it. Takes time in proportion to the text. */
export function withoutHosts(text: string): string {
  const rest = hosts.reduce((left, pattern) => left.replace(pattern, "(host)"), text);
  return rest.replace(/[a-z0-9.-]+/gi, withoutName);
}

/** A run of letters, digits, dots and hyphens without the name that it begins with, as in sqs.eu-central-1.amazonaws.com. */
function withoutName(run: string): string {
  const labels = run.split(".");
  let length = labels.length;
  while (length > 0 && !/^[a-z]{2,}$/i.test(labels[length - 1] ?? "")) length -= 1;
  const isName = length >= 3 && labels.slice(0, length).every((label) => label !== "");
  return isName ? ["(host)", ...labels.slice(length)].join(".") : run;
}

/**
 * How queues are named: by name, by URL or by ARN, in any partition.
 */
export type QueueAddress =
  | {
      readonly kind: "name";
      readonly name: string;
      readonly owner: string | null;
      readonly region: string | null;
    }
  | { readonly kind: "url"; readonly url: string; readonly name: string; readonly region: string | null };

/** The longest name of a queue, `.fifo` included: API_CreateQueue. */
export const maxNameLength = 80;

const arnPattern = /^arn:[a-z0-9-]+:sqs:([a-z0-9-]+):(\d{12}):([A-Za-z0-9_-]+(?:\.fifo)?)$/;

/** Reads a name, a URL or an ARN; null when it is none of them. */
export function parseAddress(text: string): QueueAddress | null {
  const arn = arnPattern.exec(text);
  if (arn !== null) {
    const [, region = "", owner = "", name = ""] = arn;
    return { kind: "name", name, owner, region };
  }
  if (/^https?:\/\//.test(text)) {
    if (!URL.canParse(text)) return null;
    const url = new URL(text);
    const name = url.pathname.split("/").pop() ?? "";
    return isQueueName(name) ? { kind: "url", url: text, name, region: regionOfHost(url.hostname) } : null;
  }
  return isQueueName(text) ? { kind: "name", name: text, owner: null, region: null } : null;
}

/** API_CreateQueue: up to 80 of letters, digits, hyphens and underscores, `.fifo` at the end for FIFO. */
export function isQueueName(name: string): boolean {
  return name.length <= maxNameLength && /^[A-Za-z0-9_-]+(\.fifo)?$/.test(name);
}

/** Whether the name is that of a FIFO queue: the suffix is what makes it one. */
export const isFifoName = (name: string): boolean => name.endsWith(".fifo");

/** `name`, or `name.fifo`, the suffix once. */
export function withFifoSuffix(name: string, fifo: boolean): string {
  return fifo && !isFifoName(name) ? `${name}.fifo` : name;
}

/** `orders-dead` for `orders`, `orders-dead.fifo` for `orders.fifo`. */
export function deadName(name: string): string {
  return isFifoName(name) ? `${name.slice(0, -".fifo".length)}-dead.fifo` : `${name}-dead`;
}

/** The URL of another queue beside this one: same host, same account. */
export function siblingUrl(url: string, name: string): string {
  return `${url.slice(0, url.lastIndexOf("/") + 1)}${name}`;
}

/**
 * The region an AWS host names, null for other hosts (emulators, VPC endpoints).
 *
 * Hosts: https://docs.aws.amazon.com/general/latest/gr/sqs-service.html, the legacy ones included.
 */
function regionOfHost(host: string): string | null {
  const match =
    /^sqs(?:-fips)?\.([a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|api\.aws)$/.exec(host) ??
    /^([a-z0-9-]+)\.queue\.amazonaws\.com(?:\.cn)?$/.exec(host);
  return match?.[1] ?? null;
}

import type { ConfigIssue } from "../../../errors.ts";

/** Client settings in the names of AWS SDK v3, and what of them is ours (timeouts). */
export interface ClientSettings {
  readonly config: Readonly<Record<string, unknown>>;
  /** Null = the driver's own. */
  readonly requestTimeoutMs: number | null;
  readonly issues: readonly ConfigIssue[];
}

const path = "queue.sqs.client_options";

/** Names that mean the same in v3; the type says what JSON may hold there. */
const passed: Readonly<Record<string, "string" | "number" | "boolean">> = {
  region: "string",
  endpoint: "string",
  maxAttempts: "number",
  retryMode: "string",
  profile: "string",
  useDualstackEndpoint: "boolean",
  useFipsEndpoint: "boolean",
  customUserAgent: "string",
  systemClockOffset: "number",
  tls: "boolean",
};

/** SDK v2 names (docs: AWS.SQS constructor) that have another name in v3. */
const renamed: Readonly<Record<string, readonly [name: string, type: "string" | "number" | "boolean"]>> = {
  sslEnabled: ["tls", "boolean"],
  useDualstack: ["useDualstackEndpoint", "boolean"],
};

/** Accepted because v3 always does so. */
const settled: Readonly<Record<string, readonly unknown[]>> = {
  apiVersion: ["2012-11-05", "latest"],
  signatureVersion: ["v4"],
  correctClockSkew: [true],
  paramValidation: [true, false],
  convertResponseTypes: [true, false],
  computeChecksums: [true, false],
};

const credentialNames = ["accessKeyId", "secretAccessKey", "sessionToken"] as const;

/**
 * Maps `queue.sqs.client_options` to settings of AWS SDK v3.
 *
 * Soketi hands the same JSON to SDK v2's constructor, so its names are understood. What is unknown, or
 * cannot be written as JSON (agents, loggers), is an issue and never ignored. No value stands in an issue.
 */
export function mapClientOptions(options: Readonly<Record<string, unknown>>): ClientSettings {
  const config: Record<string, unknown> = {};
  const issues: ConfigIssue[] = [];
  const credentials: Record<string, string> = {};
  let requestTimeoutMs: number | null = null;
  const complain = (name: string, message: string): void =>
    void issues.push({ path: name === "" ? path : `${path}.${name}`, source: "", message });
  const take = (name: string, target: string, type: string, value: unknown): void => {
    if (typeof value === type) config[target] = value;
    else complain(name, `expected a ${type}, got ${describe(value)}`);
  };
  const takeCredentials = (prefix: string, given: Readonly<Record<string, unknown>>): void => {
    for (const name of credentialNames) {
      const value = given[name];
      if (value === undefined || (name === "sessionToken" && value === null)) continue;
      if (typeof value === "string" && value !== "") credentials[name] = value;
      else complain(`${prefix}${name}`, `expected a string that is not empty, got ${describe(value)}`);
    }
  };

  for (const [name, value] of Object.entries(options)) {
    if (credentialNames.some((known) => known === name)) continue;
    const same = passed[name];
    const other = renamed[name];
    if (same !== undefined) take(name, name, same, value);
    else if (other !== undefined) take(name, other[0], other[1], value);
    else if (name === "maxRetries") {
      // v2 counts repetitions, v3 counts attempts.
      if (typeof value === "number" && Number.isInteger(value) && value >= 0)
        config["maxAttempts"] = value + 1;
      else complain(name, `expected an integer of at least 0, got ${describe(value)}`);
    } else if (name === "credentials") {
      if (!isObject(value)) complain(name, `expected an object, got ${describe(value)}`);
      else {
        takeCredentials("credentials.", value);
        refuseUnknown(value, credentialNames, "credentials.", complain);
      }
    } else if (name === "httpOptions") {
      if (!isObject(value)) complain(name, `expected an object, got ${describe(value)}`);
      else {
        refuseUnknown(value, ["timeout", "connectTimeout"], "httpOptions.", complain);
        const timeout = value["timeout"] ?? value["connectTimeout"];
        if (typeof timeout === "number" && timeout > 0) requestTimeoutMs = timeout;
        else if (timeout !== undefined) complain("httpOptions", `timeout: expected milliseconds above 0`);
      }
    } else if (name in settled) {
      if (!settled[name]?.includes(value)) {
        complain(name, `expected ${settled[name]?.map(String).join(" or ")}: the client does nothing else`);
      }
    } else {
      complain(name, `unknown option of the SQS client; known are ${knownNames().join(", ")}`);
    }
  }
  takeCredentials("", options);
  if (Object.keys(credentials).length > 0) {
    if (credentials["accessKeyId"] === undefined || credentials["secretAccessKey"] === undefined) {
      complain("", "accessKeyId and secretAccessKey belong together: give both or neither");
    } else config["credentials"] = credentials;
  }
  return { config, requestTimeoutMs, issues };
}

function knownNames(): string[] {
  const all = [...Object.keys(passed), ...Object.keys(renamed), ...Object.keys(settled), ...credentialNames];
  return [...all, "credentials", "httpOptions", "maxRetries"].sort();
}

function refuseUnknown(
  given: Readonly<Record<string, unknown>>,
  known: readonly string[],
  prefix: string,
  complain: (name: string, message: string) => void,
): void {
  for (const name of Object.keys(given)) {
    if (!known.includes(name)) complain(`${prefix}${name}`, `unknown option; known are ${known.join(", ")}`);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function describe(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "an array" : `a ${typeof value}`;
}

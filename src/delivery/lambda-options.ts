import type { ConfigIssue } from "../errors.ts";

/** Client settings in the names of AWS SDK v3. */
export type LambdaClientSettings = Readonly<Record<string, unknown>>;

/** Names that mean the same in SDK v3; the type says what JSON may hold there. */
const passed: Readonly<Record<string, "string" | "number" | "boolean">> = {
  region: "string",
  endpoint: "string",
  profile: "string",
  useDualstackEndpoint: "boolean",
  useFipsEndpoint: "boolean",
  customUserAgent: "string",
  systemClockOffset: "number",
  tls: "boolean",
};

/** Names of SDK v2, which Soketi hands its `client_options` to, that are called otherwise in v3. */
const renamed: Readonly<Record<string, string>> = { sslEnabled: "tls", useDualstack: "useDualstackEndpoint" };

/** Without effect: retries are hookline's own, and v3 has one API version and one signature. */
const ignored = new Set(["maxRetries", "maxAttempts", "retryMode", "apiVersion", "signatureVersion"]);

const credentialNames = ["accessKeyId", "secretAccessKey", "sessionToken"];

/**
 * Maps a webhook's `lambda.client_options` to settings of AWS SDK v3; SDK v2's names are understood.
 *
 * What is unknown is an issue and never ignored. No value stands in an issue.
 *
 * @param path The options' path in the configuration, for the issues.
 */
export function mapLambdaOptions(
  options: Readonly<Record<string, unknown>>,
  path: string,
): { readonly settings: LambdaClientSettings; readonly issues: readonly ConfigIssue[] } {
  const settings: Record<string, unknown> = {};
  const credentials: Record<string, string> = {};
  const issues: ConfigIssue[] = [];
  const complain = (name: string, message: string): void =>
    void issues.push({ path: `${path}.${name}`, source: "", message });

  const given = options["credentials"];
  const nested = typeof given === "object" && given !== null ? (given as Record<string, unknown>) : {};
  for (const [name, value] of Object.entries({ ...options, ...nested })) {
    const target = renamed[name] ?? name;
    const type = credentialNames.includes(name) ? "string" : passed[target];
    if (name === "credentials" && typeof value === "object" && value !== null) continue;
    if (ignored.has(name)) continue;
    if (type === undefined) complain(name, "is not an option of hookline's Lambda client; remove it");
    else if (typeof value !== type) complain(name, `expected a ${type}`);
    else if (credentialNames.includes(name)) credentials[name] = value as string;
    else settings[target] = value;
  }
  const { accessKeyId, secretAccessKey } = credentials;
  if ((accessKeyId === undefined) !== (secretAccessKey === undefined)) {
    const missing = accessKeyId === undefined ? "accessKeyId" : "secretAccessKey";
    complain(missing, "is missing: accessKeyId and secretAccessKey go together");
  }
  if (accessKeyId !== undefined) settings["credentials"] = credentials;
  return { settings, issues };
}

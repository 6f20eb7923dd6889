import { createHash, createHmac } from "node:crypto";
import type { Parsed } from "./receiver-parse.ts";

/** What a signature must have been made with. */
export interface SigV4Expectation {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region: string;
  readonly service: string;
}

/**
 * Null when the request carries a right AWS Signature Version 4 over its method, path, headers and body;
 * else what is wrong with it (AWS IAM user guide, "Create a signed AWS API request").
 */
export function signatureProblem(request: Parsed, expected: SigV4Expectation): string | null {
  const pattern = /^AWS4-HMAC-SHA256 Credential=([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/;
  const match = pattern.exec(request.headers["authorization"] ?? "");
  if (match === null) return "no Signature Version 4 in the authorization header";
  const [, credential = "", signedHeaders = "", signature = ""] = match;
  const time = request.headers["x-amz-date"] ?? "";
  const scope = `${time.slice(0, 8)}/${expected.region}/${expected.service}/aws4_request`;
  if (credential !== `${expected.accessKeyId}/${scope}`) return `the credential is ${credential}`;
  const names = signedHeaders.split(";");
  for (const needed of ["host", "x-amz-date"]) {
    if (!names.includes(needed)) return `${needed} is not signed`;
  }
  const [path = "", query = ""] = request.path.split("?");
  const canonical = [
    request.method,
    path.split("/").map(encodeURIComponent).join("/"),
    query.split("&").sort().join("&"),
    ...names.map((name) => `${name}:${(request.headers[name] ?? "").trim().replace(/\s+/g, " ")}`),
    "",
    signedHeaders,
    sha256(request.body),
  ].join("\n");
  const text = ["AWS4-HMAC-SHA256", time, scope, sha256(canonical)].join("\n");
  let key: string | Buffer = `AWS4${expected.secretAccessKey}`;
  for (const part of scope.split("/")) key = createHmac("sha256", key).update(part).digest();
  const right = createHmac("sha256", key).update(text).digest("hex");
  return right === signature ? null : "the signature does not match";
}

function sha256(data: string | Buffer): string {
  return createHash("sha256").update(data).digest("hex");
}

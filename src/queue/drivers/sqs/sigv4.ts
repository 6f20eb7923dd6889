import { Buffer } from "node:buffer";
import { createHash, createHmac } from "node:crypto";
import type { AwsCredentials } from "../../../aws-credentials.ts";

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
const hmac = (key: string | Buffer, text: string): Buffer => createHmac("sha256", key).update(text).digest();

/** What is signed besides the body, in the order of the canonical form. */
const signedHeaders = "content-type;host;x-amz-date;x-amz-target";
const signedWithToken = "content-type;host;x-amz-date;x-amz-security-token;x-amz-target";

/**
 * Headers of a signed POST to `/` of SQS, by Signature Version 4.
 *
 * Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html. The key of a
 * day is derived once and kept, which is most of the work.
 */
export function createSigner(region: string) {
  let derived: { secret: string; day: string; key: Buffer } = { secret: "", day: "", key: Buffer.alloc(0) };
  const keyOf = (secret: string, day: string): Buffer => {
    if (derived.secret !== secret || derived.day !== day) {
      const key = ["sqs", "aws4_request"].reduce(hmac, hmac(hmac(`AWS4${secret}`, day), region));
      derived = { secret, day, key };
    }
    return derived.key;
  };

  /** @param now Epoch ms by AWS's clock; SQS refuses what is more than 15 minutes off. */
  return (
    request: { readonly host: string; readonly target: string; readonly body: string },
    credentials: AwsCredentials,
    now: number,
  ): Record<string, string> => {
    const time = `${new Date(now).toISOString().replace(/[-:]/g, "").slice(0, 15)}Z`;
    const day = time.slice(0, 8);
    const { sessionToken, accessKeyId, secretAccessKey } = credentials;
    const headers: Record<string, string> = {
      "content-type": "application/x-amz-json-1.0",
      "x-amz-date": time,
      "x-amz-target": request.target,
    };
    const names = sessionToken === undefined ? signedHeaders : signedWithToken;
    const token = sessionToken === undefined ? "" : `x-amz-security-token:${sessionToken}\n`;
    if (sessionToken !== undefined) headers["x-amz-security-token"] = sessionToken;
    const canonical =
      `POST\n/\n\ncontent-type:application/x-amz-json-1.0\nhost:${request.host}\nx-amz-date:${time}\n` +
      `${token}x-amz-target:${request.target}\n\n${names}\n${sha256(request.body)}`;
    const scope = `${day}/${region}/sqs/aws4_request`;
    const toSign = `AWS4-HMAC-SHA256\n${time}\n${scope}\n${sha256(canonical)}`;
    const signature = createHmac("sha256", keyOf(secretAccessKey, day)).update(toSign).digest("hex");
    headers["authorization"] =
      `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`;
    return headers;
  };
}

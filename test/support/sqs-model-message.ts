import { createHash } from "node:crypto";
import { invalidValue, SqsError } from "./sqs-model-errors.ts";

/** A message attribute as it travels in AWS JSON 1.0. */
export interface ModelAttribute {
  readonly DataType: string;
  readonly StringValue?: string;
  readonly BinaryValue?: string;
}

/** One stored message. Times are epoch milliseconds of the model's clock. */
export interface ModelMessage {
  readonly id: string;
  readonly body: string;
  readonly attributes: Readonly<Record<string, ModelAttribute>>;
  readonly group: string | null;
  readonly deduplicationId: string | null;
  readonly sequence: bigint;
  readonly sentAt: number;
  /** Not before this time; in flight until it when `handle` is set. */
  visibleAt: number;
  receiveCount: number;
  firstReceivedAt: number | null;
  receivedAt: number;
  /** The latest receive's handle; null before the first. */
  handle: string | null;
  deadLetterSource: string | null;
}

/** 1 MiB, for a message and for the sum of a batch, since August 2025 (quotas-messages.html). */
export const maxMessageBytes = 1_048_576;

/** Characters a body may hold: API_SendMessage, MessageBody (the XML 1.0 set). */
const forbidden =
  // oxlint-disable-next-line no-control-regex -- control characters are what SQS refuses
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

/** Alphanumerics and punctuation, up to 128: API_SendMessage, MessageGroupId and MessageDeduplicationId. */
const identifier = /^[A-Za-z0-9!"#$%&'()*+,\-./:;<=>?@[\\\]^_`{|}~]{1,128}$/;

/** Throws as SQS does when a group or deduplication id is not one. */
export function checkIdentifier(name: string, value: string): void {
  if (identifier.test(value)) return;
  throw invalidValue(
    `The parameter ${name} is not valid. Reason: it can only include alphanumeric and punctuation characters, 1 to 128 in length.`,
  );
}

/** Body plus each attribute's name, type and value count (sqs-message-metadata.html). */
export function messageBytes(body: string, attributes: Readonly<Record<string, ModelAttribute>>): number {
  let bytes = Buffer.byteLength(body);
  for (const [name, attribute] of Object.entries(attributes)) {
    bytes += Buffer.byteLength(name) + Buffer.byteLength(attribute.DataType);
    bytes += Buffer.byteLength(attribute.StringValue ?? "");
    bytes += Buffer.from(attribute.BinaryValue ?? "", "base64").length;
  }
  return bytes;
}

/** Throws as SQS does for a body or attributes it does not take. */
export function checkContents(
  body: unknown,
  attributes: Readonly<Record<string, ModelAttribute>>,
  limit: number,
): asserts body is string {
  if (typeof body !== "string")
    throw new SqsError("MissingParameter", "The request must contain the parameter MessageBody.");
  if (body === "")
    throw new SqsError("MissingParameter", "The request must contain the parameter MessageBody.");
  if (forbidden.test(body)) {
    throw new SqsError(
      "InvalidMessageContents",
      "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF",
    );
  }
  const names = Object.keys(attributes);
  // sqs-message-metadata.html: "Each message can have up to 10 attributes."
  if (names.length > 10) {
    throw invalidValue(`Number of message attributes [${names.length}] exceeds the allowed maximum [10].`);
  }
  for (const [name, attribute] of Object.entries(attributes)) {
    if (!/^[A-Za-z0-9_.-]{1,256}$/.test(name))
      throw invalidValue(`The message attribute name '${name}' is invalid.`);
    if (!/^(String|Number|Binary)(\..+)?$/.test(attribute.DataType)) {
      throw invalidValue(`The type of message attribute '${name}' is invalid.`);
    }
    if ((attribute.StringValue ?? attribute.BinaryValue ?? "") === "") {
      throw invalidValue(`The message attribute '${name}' must contain a non-empty value.`);
    }
  }
  if (messageBytes(body, attributes) > limit) {
    throw invalidValue(
      `One or more parameters are invalid. Reason: Message must be shorter than ${limit} bytes.`,
    );
  }
}

export const md5 = (text: string): string => createHash("md5").update(text).digest("hex");
export const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/** MD5OfMessageAttributes: sqs-attributes-md5-message-digest-calculation in the developer guide. */
export function attributesMd5(attributes: Readonly<Record<string, ModelAttribute>>): string {
  const hash = createHash("md5");
  const part = (bytes: Buffer): void => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    hash.update(length).update(bytes);
  };
  for (const name of Object.keys(attributes).sort()) {
    const attribute = attributes[name] as ModelAttribute;
    part(Buffer.from(name));
    part(Buffer.from(attribute.DataType));
    const binary = attribute.DataType.startsWith("Binary");
    hash.update(Buffer.from([binary ? 2 : 1]));
    part(
      binary ? Buffer.from(attribute.BinaryValue ?? "", "base64") : Buffer.from(attribute.StringValue ?? ""),
    );
  }
  return hash.digest("hex");
}

/**
 * The errors SQS answers with, in AWS JSON 1.0: a type in the body and its old query code in a header.
 *
 * Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html and the
 * Errors section of each action; the header is what SDKs read for the code users know
 * (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-json-faqs.html).
 */
export class SqsError extends Error {
  readonly type: string;
  readonly queryCode: string;
  readonly status: number;

  constructor(type: string, message: string, queryCode: string = type, status = 400) {
    super(message);
    this.type = type;
    this.queryCode = queryCode;
    this.status = status;
  }
}

/** A parameter that is there and wrong. */
export const invalidValue = (message: string): SqsError =>
  new SqsError("InvalidParameterValueException", message, "InvalidParameterValue");

/** API_DeleteMessage, Errors: "The specified receipt handle isn't valid." (404) */
export const invalidHandle = (handle: string): SqsError =>
  new SqsError(
    "ReceiptHandleIsInvalid",
    `The input receipt handle "${handle}" is not a valid receipt handle.`,
    "ReceiptHandleIsInvalid",
    404,
  );

/** API_GetQueueUrl, Errors. */
export const noSuchQueue = (): SqsError =>
  new SqsError(
    "QueueDoesNotExist",
    "The specified queue does not exist.",
    "AWS.SimpleQueueService.NonExistentQueue",
  );

/** The HTTP answer to an error. */
export function errorResponse(error: SqsError): Response {
  return new Response(JSON.stringify({ __type: `com.amazonaws.sqs#${error.type}`, message: error.message }), {
    status: error.status,
    headers: {
      "content-type": "application/x-amz-json-1.0",
      "x-amzn-query-error": `${error.queryCode};${error.status >= 500 ? "Receiver" : "Sender"}`,
    },
  });
}

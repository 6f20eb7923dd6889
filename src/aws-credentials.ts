/**
 * AWS credentials, as its clients find and keep them: environment, files, processes, roles.
 *
 * What comes from a file or a process without an expiry date is kept by the clients for ever. AWS itself says when it
 * is no longer good, and only then it is looked for again.
 */
export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Of temporary ones only. */
  readonly sessionToken?: string | undefined;
}

/** Gives the credentials it has, or with `forceRefresh` looks for them again where they come from. */
export type CredentialsProvider = (options?: { forceRefresh?: boolean }) => Promise<AwsCredentials>;

/**
 * To be given to a client beside its settings: files are read again at a refresh. Without it the SDK keeps the
 * content of `~/.aws/credentials` for the life of the process (@smithy/core, shared-ini-file-loader/readFile).
 */
export const readFilesAnew = { ignoreCache: true } as const;

/**
 * Codes by which AWS refuses a request for its credentials: expired ones (temporary credentials, session tokens), and
 * keys that were rotated or deleted. Newer ones may be where the old ones came from.
 *
 * Sources: "Common errors" in the API references of SQS, Lambda, STS and EC2.
 */
const refusals: ReadonlySet<string> = new Set([
  "AuthFailure",
  "ExpiredToken",
  "ExpiredTokenException",
  "IncompleteSignature",
  "IncompleteSignatureException",
  "InvalidAccessKeyId",
  "InvalidClientTokenId",
  "InvalidSecurity",
  "InvalidSecurityToken",
  "InvalidSignatureException",
  "InvalidToken",
  "MissingAuthenticationToken",
  "MissingAuthenticationTokenException",
  "RequestExpired",
  "SignatureDoesNotMatch",
  "TokenRefreshRequired",
  "UnrecognizedClient",
  "UnrecognizedClientException",
]);

/** Whether AWS refused the credentials, so that it helps to look for them again. */
export function refusesCredentials(code: string): boolean {
  return refusals.has(code);
}

/** Looks for the credentials again; resolves with whether there are others now, so that a refused call may be repeated. */
export async function findOthers(provider: CredentialsProvider): Promise<boolean> {
  try {
    const before = await provider();
    const now = await provider({ forceRefresh: true });
    return (
      now.accessKeyId !== before.accessKeyId ||
      now.secretAccessKey !== before.secretAccessKey ||
      now.sessionToken !== before.sessionToken
    );
  } catch {
    // There are none now. AWS' refusal, which the caller has in hand, says more.
    return false;
  }
}

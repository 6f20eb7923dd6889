import { HooklineError } from "../errors.ts";

/**
 * A request that is refused for what it is: syntax, size, rights, an unknown name.
 *
 * `code` is one of those that admin/problem.ts knows a status for.
 */
export class RequestError extends HooklineError {
  override readonly name = "RequestError";
  /** Headers the answer must carry, as WWW-Authenticate or Allow. */
  readonly headers: Readonly<Record<string, string>>;
  /** The status where it is not the code's usual one. */
  readonly status: number | null;
  /** Members of the answer beside the standard ones; already masked. */
  readonly extra: Readonly<Record<string, unknown>>;

  constructor(
    code: string,
    message: string,
    headers: Readonly<Record<string, string>> = {},
    status: number | null = null,
    extra: Readonly<Record<string, unknown>> = {},
  ) {
    super(code, message);
    this.headers = headers;
    this.status = status;
    this.extra = extra;
  }
}

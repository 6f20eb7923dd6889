/**
 * Addresses in the order to try, IPv4 first, or the error code.
 *
 * The object stays the same as long as the answer is cached, so that its identity can be compared.
 */
export type Resolution =
  | { readonly ok: true; readonly addresses: readonly string[] }
  | { readonly ok: false; readonly code: string };

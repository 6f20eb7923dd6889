import { readTextFile } from "./file.ts";
import type { Env } from "./env.ts";
import { pemProblem } from "./pem.ts";
import { quoteSecretFileName } from "../secrets/showable.ts";

/**
 * The warning about NODE_EXTRA_CA_CERTS where it names nothing that can be used; null when it does, or is not set.
 *
 * The runtime reads that file by itself at its start and says nothing when it cannot: every receiver behind an authority
 * of one's own would then fail with `tls`.
 */
export async function warnOfExtraCertificates(env: Env): Promise<string | null> {
  const path = env["NODE_EXTRA_CA_CERTS"];
  if (path === undefined || path === "") return null;
  const file = await readTextFile(path, quoteSecretFileName(path));
  const problem = file.ok ? pemProblem(file.text, "CERTIFICATE") : null;
  const reason = !file.ok
    ? file.message
    : problem === null
      ? null
      : "it holds no certificates in PEM that can be read";
  return reason === null
    ? null
    : `NODE_EXTRA_CA_CERTS is not used, only the usual authorities are trusted: ${reason}`;
}

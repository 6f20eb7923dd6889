import { createPrivateKey, X509Certificate } from "node:crypto";

const block = /-----BEGIN ([A-Z0-9 ]+)-----[\s\S]+?-----END \1-----/g;

/**
 * What is expected of PEM text that cannot be used, or null when it can.
 *
 * Checked at start because the runtime reports bad PEM as a socket that would not open (runtime-facts §1),
 * which would look like a receiver's failure. The text itself is never quoted.
 */
export function pemProblem(text: string, label: "CERTIFICATE" | "PRIVATE KEY"): string | null {
  const blocks = [...text.matchAll(block)];
  if (blocks.length === 0) {
    return `PEM text (-----BEGIN ${label}-----); to read it from a file, use the environment name with _FILE`;
  }
  try {
    if (label === "PRIVATE KEY") {
      if (blocks.some(([, kind]) => kind?.includes("ENCRYPTED") === true))
        return "a private key that is not encrypted";
      createPrivateKey(text);
    } else {
      for (const [certificate] of blocks) void new X509Certificate(certificate);
    }
    return null;
  } catch {
    return label === "PRIVATE KEY"
      ? "a private key in PEM that can be read"
      : "certificates in PEM that can be read";
  }
}

import { createPrivateKey, X509Certificate } from "node:crypto";

interface PemBlock {
  /** As in `CERTIFICATE` or `ENCRYPTED PRIVATE KEY`. */
  readonly label: string;
  readonly text: string;
}

/** The blocks of a PEM text: from each `-----BEGIN X-----` to the `-----END X-----` that comes next (RFC 7468 §2). */
function pemBlocks(text: string): PemBlock[] {
  const blocks: PemBlock[] = [];
  let open: { label: string; from: number } | null = null;
  for (const { 0: boundary, 1: word, 2: label = "", index } of text.matchAll(
    /-----(BEGIN|END) ([A-Z0-9 ]+)-----/g,
  )) {
    if (word === "BEGIN") open = { label, from: index };
    else if (open?.label === label) {
      blocks.push({ label, text: text.slice(open.from, index + boundary.length) });
      open = null;
    }
  }
  return blocks;
}

/**
 * What is expected of PEM text that cannot be used, or null when it can.
 *
 * Checked at start because the runtime reports bad PEM as a socket that would not open (runtime-facts §1),
 * which would look like a receiver's failure. The text itself is never quoted.
 */
export function pemProblem(text: string, label: "CERTIFICATE" | "PRIVATE KEY"): string | null {
  const blocks = pemBlocks(text);
  if (blocks.length === 0) {
    return `PEM text (-----BEGIN ${label}-----); to read it from a file, use the environment name with _FILE`;
  }
  try {
    if (label === "PRIVATE KEY") {
      if (blocks.some((block) => block.label.includes("ENCRYPTED"))) {
        return "a private key that is not encrypted";
      }
      createPrivateKey(text);
    } else {
      for (const block of blocks) void new X509Certificate(block.text);
    }
    return null;
  } catch {
    return label === "PRIVATE KEY"
      ? "a private key in PEM that can be read"
      : "certificates in PEM that can be read";
  }
}

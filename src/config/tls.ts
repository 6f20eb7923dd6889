import * as v from "valibot";
import { contradictions } from "./contradictions.ts";
import { checkedText, choice, secretValue } from "./kinds.ts";
import { pemProblem } from "./pem.ts";
import { setting } from "./setting.ts";

const pem = (label: "CERTIFICATE" | "PRIVATE KEY", description: string) =>
  checkedText("PEM text", (text) => pemProblem(text, label), description);

/** TLS of one connection: to a backend, or to a receiver. */
export const tlsSchema = v.pipe(
  v.strictObject({
    ca: setting(v.nullable(pem("CERTIFICATE", "Certificates to trust, in PEM, instead of the usual ones.")), {
      default: null,
    }),
    cert: setting(v.nullable(pem("CERTIFICATE", "Client certificate, in PEM.")), { default: null }),
    key: setting(
      v.nullable(
        v.pipe(pem("PRIVATE KEY", "Private key of the client certificate, in PEM."), v.metadata(secretValue)),
      ),
      { default: null },
    ),
    min_version: setting(v.nullable(choice(["TLSv1.2", "TLSv1.3"], "Oldest TLS version that is spoken.")), {
      default: null,
    }),
  }),
  contradictions(({ cert, key }, contradict) => {
    if (cert === undefined || key === undefined || (cert === null) === (key === null)) return;
    contradict([], "a client certificate needs both cert and key", [["cert"], ["key"]]);
  }),
);

/** Settings of TLS, every default filled in. */
export type TlsConfig = v.InferOutput<typeof tlsSchema>;

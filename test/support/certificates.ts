import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A certificate and its key, PEM. */
export interface CertificatePair {
  readonly cert: string;
  readonly key: string;
}

/** What the TLS tests need, made once per test run and never stored. */
export interface Certificates {
  /** The authority's certificate: what a client must trust. */
  readonly ca: string;
  /** For a.test, b.test, localhost, 127.0.0.1 and ::1. */
  readonly server: CertificatePair;
  /** The same names, expired in 2021. */
  readonly expired: CertificatePair;
  /** For a.test, signed by itself. */
  readonly selfSigned: CertificatePair;
  /** A client's certificate, by the same authority. */
  readonly client: CertificatePair;
}

/** A certificate signed by itself whose names take some 50 KB, none of them a name or address of this machine. */
export function crowdedCertificate(): CertificatePair {
  const folder = mkdtempSync(join(tmpdir(), "hookline-tls-"));
  try {
    const names = Array.from({ length: 800 }, (_, n) => `DNS:${"x".repeat(50)}-${n}.test`).join(",");
    const line =
      "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout k -out c -subj /CN=crowd";
    const args = [...line.split(" "), "-addext", `subjectAltName=${names}`];
    const result = spawnSync("openssl", args, { cwd: folder, encoding: "utf8" });
    if (result.status !== 0) throw new Error(`openssl failed: ${result.stderr}`);
    return {
      cert: readFileSync(join(folder, "c"), "utf8"),
      key: readFileSync(join(folder, "k"), "utf8"),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

let made: Certificates | undefined;

/** The test run's certificates; the first call takes some 100 ms. */
export function certificates(): Certificates {
  made ??= makeCertificates();
  return made;
}

const names = "subjectAltName=DNS:a.test,DNS:b.test,DNS:localhost,IP:127.0.0.1,IP:::1";

function makeCertificates(): Certificates {
  const folder = mkdtempSync(join(tmpdir(), "hookline-tls-"));
  // No argument holds a space, so that a command can be written as one line.
  const openssl = (line: string): void => {
    const result = spawnSync("openssl", line.split(" "), { cwd: folder, encoding: "utf8" });
    if (result.status !== 0) throw new Error(`openssl ${line} failed: ${result.stderr}`);
  };
  const read = (file: string): string => readFileSync(join(folder, file), "utf8");
  const pair = (name: string): CertificatePair => ({ cert: read(`${name}.pem`), key: read(`${name}.key`) });
  const key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
  const issue = (name: string, dates: string): void => {
    openssl(`req ${key} -keyout ${name}.key -subj /CN=${name} -out ${name}.csr`);
    // `ca` is the only command of openssl 3.0 that takes a start date in the past.
    openssl(`ca -batch -notext -config ca.cnf -in ${name}.csr -out ${name}.pem ${dates}`);
  };
  const valid = "-startdate 20200101000000Z -enddate 20991231000000Z";
  try {
    writeFileSync(join(folder, "ca.cnf"), caConfiguration);
    writeFileSync(join(folder, "index.txt"), "");
    writeFileSync(join(folder, "serial"), "01\n");
    const authority = "-subj /CN=hookline-test-CA -addext basicConstraints=critical,CA:TRUE";
    openssl(`req -x509 ${key} -keyout ca.key -out ca.pem -days 30 ${authority}`);
    issue("server", valid);
    issue("expired", "-startdate 20200101000000Z -enddate 20210101000000Z");
    issue("client", valid);
    openssl(`req -x509 ${key} -keyout self.key -out self.pem -days 30 -subj /CN=self -addext ${names}`);
    return {
      ca: read("ca.pem"),
      server: pair("server"),
      expired: pair("expired"),
      selfSigned: pair("self"),
      client: pair("client"),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const caConfiguration = `
[ca]
default_ca = own
[own]
dir = .
database = index.txt
serial = serial
new_certs_dir = .
certificate = ca.pem
private_key = ca.key
default_md = sha256
policy = any
unique_subject = no
x509_extensions = leaf
[any]
commonName = supplied
[leaf]
basicConstraints = CA:FALSE
${names}
`;

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { findBundledPackages } from "../../scripts/packaging/compile.ts";
import { createSbom } from "../../scripts/packaging/sbom.ts";
import { run } from "../support/command.ts";
import { root } from "./release-files.ts";

const isLong = process.env["HOOKLINE_LONG"] === "1";
const timeoutMs = 1_800_000;

/** The schemas that others publish: of Kubernetes, of Prometheus' operator, and of bills of materials. */
const packages = [
  "kubernetes-models@5.1.0",
  "@kubernetes-models/prometheus-operator@6.0.0",
  "@cyclonedx/cyclonedx-library@10.3.0",
  "ajv@8.17.1",
  "ajv-formats@3.0.1",
  "ajv-formats-draft2019@1.6.1",
];

describe.skipIf(!isLong)("schemas of others (--long)", () => {
  let folder = "";
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "hookline-schemas-"));
    await run(["npm", "install", "--silent", "--no-save", "--prefix", folder, ...packages], {
      cwd: folder,
      timeoutMs,
    });
  }, timeoutMs);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** Runs a module of Node's in the folder of the schemas, with a JSON document on its standard input. */
  const check = (source: string, document: unknown): ReturnType<typeof run> => {
    writeFileSync(join(folder, "check.mjs"), source);
    return run(["node", join(folder, "check.mjs")], { cwd: folder, stdin: JSON.stringify(document) });
  };

  test(
    "each Kubernetes manifest is valid",
    async () => {
      const places = join(root, "deploy", "kubernetes");
      const documents = readdirSync(places).flatMap((name) =>
        parseAllDocuments(readFileSync(join(places, name), "utf8")).map(
          (document) => document.toJS() as unknown,
        ),
      );
      const source = `import { readFileSync } from "node:fs";
      const modules = { v1: "kubernetes-models/v1", "apps/v1": "kubernetes-models/apps/v1",
        "policy/v1": "kubernetes-models/policy/v1",
        "monitoring.coreos.com/v1": "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1" };
      for (const document of JSON.parse(readFileSync(0, "utf8"))) {
        const { [document.kind]: Model } = await import(modules[document.apiVersion]);
        await new Model(document).validate();
        console.log(document.kind);
      }`;
      const { stdout } = await check(source, documents);
      expect(stdout.trim().split("\\n")).toHaveLength(documents.length);
      // The check itself: a probe of a wrong form is refused.
      const wrong = {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name: "x" },
        spec: { ports: [{ port: "http" }] },
      };
      await expect(check(source, [wrong])).rejects.toThrow("port");
    },
    timeoutMs,
  );

  test(
    "the bill of materials is valid CycloneDX 1.6",
    async () => {
      const bill = createSbom({
        version: "1.2.3",
        revision: { commit: "0".repeat(40), date: "2026-11-30T01:02:03Z" },
        packages: await findBundledPackages(),
        lock: readFileSync(join(root, "bun.lock"), "utf8"),
      });
      const source = `import { readFileSync } from "node:fs";
      import { Spec, Validation } from "@cyclonedx/cyclonedx-library";
      const validator = new Validation.JsonStrictValidator(Spec.Version.v1dot6);
      const errors = await validator.validate(JSON.stringify(JSON.parse(readFileSync(0, "utf8"))));
      if (errors !== null) { console.error(JSON.stringify(errors)); process.exit(1); }`;
      await check(source, JSON.parse(bill));
      await expect(check(source, { ...JSON.parse(bill), version: "one" })).rejects.toThrow("version");
    },
    timeoutMs,
  );

  test.skipIf(Bun.which("docker-compose") === null)(
    "docker-compose reads the compose files",
    async () => {
      const env = Object.fromEntries(
        [
          "HOOKLINE_TOKEN",
          "SOKETI_IMAGE",
          "SQS_URL",
          "SQS_REGION",
          "AWS_ACCESS_KEY_ID",
          "AWS_SECRET_ACCESS_KEY",
        ].map((name) => [name, "given"]),
      );
      for (const name of readdirSync(join(root, "deploy")).filter((file) => file.startsWith("compose."))) {
        const file = join(root, "deploy", name);
        await run(["docker-compose", "--file", file, "config", "--quiet"], { env });
        await expect(run(["docker-compose", "--file", file, "config", "--quiet"])).rejects.toThrow(
          "HOOKLINE_TOKEN",
        );
      }
    },
    timeoutMs,
  );
});

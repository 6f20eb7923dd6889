import { describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseAllDocuments, parse } from "yaml";
import { runCommand } from "../cli/command-io.ts";

const deploy = resolve(import.meta.dir, "..", "..", "deploy");
const read = (name: string): string => readFileSync(join(deploy, name), "utf8");

/** What a person fills in before the first start. */
const given: Readonly<Record<string, string>> = {
  HOOKLINE_TOKEN: "a-token-of-ours-in-a-test",
  SOKETI_IMAGE: "soketi",
  SQS_URL: "https://sqs.eu-central-1.amazonaws.com/1234/soketi.fifo",
  SQS_REGION: "eu-central-1",
  AWS_ACCESS_KEY_ID: "key",
  AWS_SECRET_ACCESS_KEY: "value",
};

/** `${NAME:?text}` as compose fills it in; throws for a name that the file's own words do not ask for. */
function fillIn(text: string): string {
  return text.replaceAll(/\$\{(\w+):\?[^}]*\}/g, (_, name: string) => {
    const value = given[name];
    if (value === undefined) throw new Error(`${name} is asked for, and this test does not know it`);
    return value;
  });
}

/** What the image sets, from the Containerfile. */
function imageEnv(): Record<string, string> {
  const text = readFileSync(join(deploy, "..", "Containerfile"), "utf8").replaceAll("\\\n", " ");
  const words = /^ENV (.*)$/m.exec(text)?.[1]?.trim().split(/\s+/) ?? [];
  return Object.fromEntries(words.map((word) => word.split("=") as [string, string]));
}

/** Throws with the issues when hookline could not start with this configuration and environment in the image. */
async function checkConfiguration(text: string, env: Record<string, string>): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "hookline-deploy-"));
  try {
    const file = join(folder, "hookline.json");
    writeFileSync(file, text);
    const result = await runCommand("config", ["check", "--config", file], {
      env: { ...imageEnv(), ...env },
    });
    if (result.code !== 0) throw new Error(result.stderr);
    expect(result.stderr).toBe("");
    return result.stdout;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

// oxlint-disable-next-line typescript/no-explicit-any -- a test asserts the shape it expects.
type Manifest = any;

describe("compose", () => {
  const files = readdirSync(deploy).filter((name) => /^compose\..*yaml$|^compose\.yaml$/.test(name));
  test("the three files are there", () => {
    expect(files.toSorted()).toEqual(["compose.redis.yaml", "compose.soketi.yaml", "compose.yaml"]);
  });

  test.each(files)(
    "%s: hookline starts with what it is given, hardened, and keeps its state in a volume",
    async (name) => {
      const file: Manifest = parse(fillIn(read(name)));
      const { hookline } = file.services;
      const summary = await checkConfiguration(read("hookline.json"), hookline.environment);
      expect(summary).toContain(`driver ${hookline.environment.QUEUE_DRIVER}`);
      expect(hookline).toMatchObject({ read_only: true, cap_drop: ["ALL"], tmpfs: ["/tmp"] });
      expect(Number.parseInt(hookline.stop_grace_period, 10)).toBeGreaterThan(8);
      expect(hookline.build).toEqual({ context: "..", dockerfile: "Containerfile" });
      for (const service of Object.values<Manifest>(file.services)) {
        for (const volume of service.volumes ?? []) {
          const source = String(volume).split(":")[0] ?? "";
          if (source.startsWith("./")) expect(readdirSync(deploy)).toContain(source.slice(2));
          else expect(Object.keys(file.volumes)).toContain(source);
        }
        for (const name of Object.keys(service.depends_on ?? {}))
          expect(file.services[name].healthcheck).toBeDefined();
      }
    },
  );

  test("Soketi and hookline share the queue and the app, and Soketi's own worker does not run", () => {
    const { soketi, hookline } = parse(fillIn(read("compose.soketi.yaml"))).services;
    for (const name of ["SOKETI_QUEUE_SQS_URL", "SOKETI_QUEUE_SQS_REGION"]) {
      expect(soketi.environment[name]).toBe(hookline.environment[name]);
    }
    expect(soketi.environment).toMatchObject({ SOKETI_MODE: "server", SOKETI_QUEUE_DRIVER: "sqs" });
    const [app] = JSON.parse(read("hookline.json")).apps;
    expect(soketi.environment).toMatchObject({
      SOKETI_DEFAULT_APP_ID: app.id,
      SOKETI_DEFAULT_APP_KEY: app.key,
      SOKETI_DEFAULT_APP_SECRET: app.secret,
    });
    expect(JSON.parse(soketi.environment.SOKETI_DEFAULT_APP_WEBHOOKS)[0].url).toBe(app.webhooks[0].url);
  });
});

/** The documents of a file of deploy/kubernetes; throws on anything that is no YAML. */
function documents(name: string): Manifest[] {
  return parseAllDocuments(read(`kubernetes/${name}.yaml`)).map((document) => {
    if (document.errors.length > 0) throw new Error(`${name}: ${document.errors.join("\n")}`);
    return document.toJS();
  });
}

describe("kubernetes", () => {
  const find = (list: Manifest[], kind: string): Manifest => list.find((document) => document.kind === kind);
  const common = documents("common");

  test.each(["file", "redis", "sqs"])(
    "%s: the workload runs hardened, is probed, and starts with what it is given",
    async (name) => {
      const list = documents(name);
      const workload = find(list, name === "file" ? "StatefulSet" : "Deployment");
      const pod = workload.spec.template.spec;
      const [container] = pod.containers;
      const env = Object.fromEntries(
        container.env.map((entry: Manifest) => [entry.name, entry.value ?? "a-token-of-ours-in-a-test"]),
      );
      const { data } = find(common, "ConfigMap");
      expect(await checkConfiguration(data["hookline.json"], env)).toContain(`driver ${name}`);

      expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 65532 });
      expect(container.securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ["ALL"] },
      });
      expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(8);
      expect(container.livenessProbe.httpGet).toEqual({ path: "/health/live", port: "http" });
      expect(container.readinessProbe.httpGet).toEqual({ path: "/health/ready", port: "http" });
      expect(container.ports).toEqual([{ name: "http", containerPort: 9640 }]);

      const volumes = [
        ...pod.volumes,
        ...(workload.spec.volumeClaimTemplates ?? []).map((claim: Manifest) => claim.metadata),
      ];
      const names = (list: Manifest[]): Set<string> => new Set(list.map((part) => part.name));
      expect(names(container.volumeMounts)).toEqual(names(volumes));
      // Everything finds the pod by the labels that it has.
      const { labels } = workload.spec.template.metadata;
      expect(workload.spec.selector.matchLabels).toEqual(labels);
      expect(find(list, "PodDisruptionBudget").spec.selector.matchLabels).toEqual(labels);
      expect(find(common, "Service").spec.selector).toEqual(labels);
      expect(find(common, "Secret").stringData).toHaveProperty(container.env[0].valueFrom.secretKeyRef.key);
    },
  );

  test("a store has one process: one replica, on a volume that its user may write", () => {
    const { spec } = find(documents("file"), "StatefulSet");
    expect(spec.replicas).toBe(1);
    expect(spec.template.spec.securityContext.fsGroup).toBe(65532);
    const mount = spec.template.spec.containers[0].volumeMounts.find(
      (entry: Manifest) => entry.name === "store",
    );
    expect(`${imageEnv()["QUEUE_FILE_PATH"]}`).toStartWith(`${mount.mountPath}/`);
  });

  test("the monitor asks the service's port for what hookline serves", () => {
    const service = find(common, "Service");
    const { spec } = find(documents("monitor"), "ServiceMonitor");
    expect(spec.selector.matchLabels).toEqual(service.metadata.labels);
    expect(spec.endpoints[0]).toMatchObject({ port: service.spec.ports[0].name, path: "/metrics" });
  });
});

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { cpSync, existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createDebianRoot } from "../support/debian-root.ts";
import { run, type CommandOptions } from "../support/command.ts";
import { until } from "../support/until.ts";
import { root } from "./release-files.ts";

const isLong = process.env["HOOKLINE_LONG"] === "1";
const timeoutMs = 1_800_000;

describe.skipIf(!isLong)("the image (podman, whose builder is buildah)", () => {
  let folder = "";
  const image = "hookline-test";
  /** Limits that also a root without CAP_SYS_RESOURCE may set. */
  const limits = ["--cgroups=disabled", "--ulimit", "nofile=4096:4096", "--ulimit", "nproc=4096:4096"];

  /**
   * podman with a store of its own: nothing of the machine's images and containers is seen or changed.
   *
   * crun refuses a machine that has both versions of cgroups, so the second is out of sight.
   */
  const inPrivate = ["unshare", "--mount", "--propagation", "private", "sh", "-c"];
  const start = 'umount /sys/fs/cgroup/unified 2>/dev/null; exec podman "$@"';
  const places = (): string[] =>
    ["root", "runroot", "tmpdir"].flatMap((name) => [`--${name}`, join(folder, name)]);
  const podman = (args: readonly string[], options: CommandOptions = {}): ReturnType<typeof run> =>
    run([...inPrivate, start, "sh", ...places(), "--cgroup-manager", "cgroupfs", ...args], {
      timeoutMs: 300_000,
      ...options,
    });

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "hookline-image-"));
    // In place of Node's image: an empty Debian with this machine's Node and npm, and what lets npm reach its registry.
    await using base = await createDebianRoot(["ca-certificates", "libstdc++6"]);
    const node = realpathSync(Bun.which("node") ?? "");
    const npm = dirname(dirname(realpathSync(Bun.which("npm") ?? "")));
    const { stdout: settings } = await run(["npm", "config", "get", "globalconfig"]);
    cpSync(node, join(base.path, "usr/bin/node"));
    mkdirSync(join(base.path, "usr/lib/node_modules"), { recursive: true });
    cpSync(npm, join(base.path, "usr/lib/node_modules/npm"), { recursive: true });
    writeFileSync(
      join(base.path, "usr/bin/npm"),
      '#!/bin/sh\nexec node /usr/lib/node_modules/npm/bin/npm-cli.js "$@"\n',
      {
        mode: 0o755,
      },
    );
    for (const file of [settings.trim(), "/root/.npmrc", "/etc/ssl/certs/ca-certificates.crt"]) {
      if (!existsSync(file)) continue;
      mkdirSync(dirname(join(base.path, file)), { recursive: true });
      cpSync(file, join(base.path, file));
    }
    await run(["tar", "-C", base.path, "-cf", join(folder, "base.tar"), "."], { timeoutMs: 300_000 });
    // Node looks for further authorities where this says.
    const authorities = "ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt";
    await podman(["import", "--change", authorities, join(folder, "base.tar"), "hookline-test-base"]);
    rmSync(join(folder, "base.tar"));
    const git = async (...args: string[]): Promise<string> =>
      (await run(["git", "-C", root, ...args])).stdout.trim();
    const commit = `COMMIT=${await git("rev-parse", "HEAD")}`;
    const date = `COMMIT_DATE=${await git("show", "-s", "--format=%cI")}`;
    const flags = ["--isolation", "chroot", "--network", "host", "--format", "docker"];
    const values = ["BASE=localhost/hookline-test-base", commit, date].flatMap((value) => [
      "--build-arg",
      value,
    ]);
    await podman(["build", ...flags, ...values, "-t", image, root], { timeoutMs: 900_000 });
  }, timeoutMs);
  afterAll(async () => {
    if (folder === "") return;
    await podman(["rm", "--all", "--force"]);
    await podman(["rmi", "--all", "--force"]);
    await run(["sh", "-c", `umount '${folder}/root/overlay' 2>/dev/null || true`]);
    rmSync(folder, { recursive: true, force: true });
  }, timeoutMs);

  test(
    "holds the executable, its libraries and the licences, for a user that is not root",
    async () => {
      const { stdout } = await podman(["inspect", "--format", "{{json .}}", image]);
      // podman 4 prints a list of one.
      const [{ Config, Size }] = [JSON.parse(stdout)].flat();
      expect(Config).toMatchObject({
        User: "65532:65532",
        Entrypoint: ["/hookline"],
        Cmd: ["serve"],
        Volumes: { "/var/lib/hookline": {} },
      });
      console.error(`the image has ${(Size / 1e6).toFixed(1)} MB`);
      expect(Size).toBeLessThan(130e6);
      const version = await podman([
        "run",
        "--rm",
        "--network",
        "host",
        ...limits,
        image,
        "version",
        "--json",
      ]);
      expect(JSON.parse(version.stdout).commit).toMatch(/^[0-9a-f]{40}$/);
    },
    timeoutMs,
  );

  test(
    "runs on a read-only root, says that it is well, keeps its store in the volume, and stops in time",
    async () => {
      const config = join(folder, "hookline.json");
      writeFileSync(config, JSON.stringify({ endpoints: { away: { url: "http://127.0.0.1:9/" } } }));
      const flags = ["--network", "none", ...limits, "--read-only", "--cap-drop", "all"];
      flags.push("--security-opt", "no-new-privileges", "-v", "hookline-test:/var/lib/hookline");
      flags.push("-v", `${config}:/etc/hookline/hookline.json:ro`, "-e", "QUEUE_DRIVER=file");
      flags.push("-e", "HOOKLINE_TOKEN=a-token-for-this-test", "--name", "one");
      const inside = (...args: string[]): ReturnType<typeof run> =>
        podman(["exec", "one", "/hookline", ...args]);
      const isHealthy = (): Promise<boolean> =>
        podman(["healthcheck", "run", "one"]).then(
          () => true,
          () => false,
        );
      const untilHealthy = (): Promise<unknown> =>
        until(isHealthy, { timeoutMs: 60_000, everyMs: 200, what: "a healthy container" });
      await podman(["run", "--detach", ...flags, image]);
      await untilHealthy();
      await inside("health", "--ready");
      const job = '{"id":"waits","type":"t","data":{},"endpoint":"away","delay_ms":600000}';
      const posted = await podman(["exec", "-i", "one", "/hookline", "enqueue", "webhooks", "-"], {
        stdin: job,
      });
      expect(posted.stdout).toContain("waits");
      const startedAt = performance.now();
      await podman(["stop", "--time", "10", "one"]);
      expect(performance.now() - startedAt).toBeLessThan(10_000);
      const { stdout } = await podman(["inspect", "--format", "{{.State.ExitCode}}", "one"]);
      expect(stdout.trim()).toBe("0");
      // Another container on the same volume has what waited.
      await podman(["rm", "one"]);
      await podman(["run", "--detach", ...flags, image]);
      await untilHealthy();
      await inside("health", "--ready");
      const again = await podman(["exec", "-i", "one", "/hookline", "enqueue", "webhooks", "-", "--json"], {
        stdin: job,
      });
      expect(JSON.parse(again.stdout).jobs[0]).toMatchObject({ id: "waits", status: "duplicate" });
      await podman(["rm", "--force", "--time", "10", "one"]);
    },
    timeoutMs,
  );
});

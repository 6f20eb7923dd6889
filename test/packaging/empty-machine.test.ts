import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, realpathSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createDebianRoot, type DebianRoot } from "../support/debian-root.ts";
import { run } from "../support/command.ts";
import { makeRelease, readmeBlock, root, type ReleaseFiles } from "./release-files.ts";

const isLong = process.env["HOOKLINE_LONG"] === "1";
const timeoutMs = 1_800_000;

describe.skipIf(!isLong)("on an empty Debian (debootstrap)", () => {
  let machine: DebianRoot;
  let files: ReleaseFiles;
  /** What the person of README has: the release in a folder, and Node for the receiver. */
  let binds: Record<string, string> = {};

  beforeAll(async () => {
    files = await makeRelease(["linux-x64"]);
    machine = await createDebianRoot(["curl", "systemd", "systemd-sysv"]);
    const node = realpathSync(Bun.which("node") ?? "");
    binds = { [files.folder]: "/mnt/release", [dirname(node)]: "/opt/node" };
  }, timeoutMs);
  afterAll(async () => {
    files?.[Symbol.dispose]();
    await machine?.[Symbol.asyncDispose]();
  }, timeoutMs);

  const readme = readFileSync(join(root, "README.md"), "utf8");
  /** README's three steps, word by word, in a folder; ends once the receiver has printed "verified". */
  const threeSteps = (folder: string): string => {
    const block = (language: string, index: number): string =>
      readmeBlock(readme, "One minute", language, index);
    const place = join(machine.path, folder);
    mkdirSync(place, { recursive: true });
    writeFileSync(join(place, "receiver.mjs"), block("js", 0));
    writeFileSync(join(place, "hookline.json"), block("json", 0));
    return `cd ${folder}
      export PATH=$PATH:/opt/node
      exec > output 2>&1
      ${block("sh", 1)}
      for try in $(seq 600); do
        if grep -q 'verified ' output; then exit 0; fi
        sleep 0.1
      done
      cat output >&2
      exit 1`;
  };

  test(
    "the install script, then README's one minute word by word, ends verified within 60 s",
    async () => {
      const startedAt = performance.now();
      const install = readmeBlock(readme, "One minute", "sh", 0);
      const { stdout } = await machine.run(`set -e; cd /mnt/release\n${install}`, {
        binds,
        timeoutMs: 120_000,
      });
      expect(stdout).toContain("installed hookline ");
      expect(stdout).toMatch(/^ +verified +channel_occupied/m);
      await machine.run(threeSteps("/root/minute"), { binds, timeoutMs: 120_000 });
      const seconds = (performance.now() - startedAt) / 1000;
      console.error(`install.sh, the demo and three steps: ${seconds.toFixed(1)} s`);
      expect(seconds).toBeLessThan(60);
      await machine.run("rm -rf /usr/local/bin/hookline");
    },
    timeoutMs,
  );

  test(
    "the Debian package is installed, and README's one minute ends verified within 60 s",
    async () => {
      const startedAt = performance.now();
      const name = files.find("_amd64.deb").slice(files.folder.length + 1);
      await machine.run(`dpkg -i /mnt/release/${name}`, { binds });
      await machine.run(threeSteps("/root/package"), { binds, timeoutMs: 120_000 });
      const seconds = (performance.now() - startedAt) / 1000;
      console.error(`dpkg -i and three steps: ${seconds.toFixed(1)} s`);
      expect(seconds).toBeLessThan(60);

      const config = join(machine.path, "etc/hookline/hookline.json");
      expect(statSync(config).mode & 0o777).toBe(0o640);
      const { stdout } = await machine.run(
        "stat -c '%U:%G' /etc/hookline/hookline.json; hookline version; dpkg --verify hookline",
      );
      expect(stdout).toMatch(
        /^root:hookline-conf\n\d+\.\d+\.\d+\ncommit [0-9a-f]{40}\ndate \S+\ntarget linux-x64\n$/,
      );
      // The editor's schema is where the configuration points.
      expect(existsSync(join(machine.path, JSON.parse(readFileSync(config, "utf8")).$schema))).toBe(true);
    },
    timeoutMs,
  );

  test(
    "systemd runs the unit as it is: confined, reloaded, restarted, upgraded over what waits; purge leaves nothing",
    async () => {
      await makeNextVersion(files);
      await using system = await machine.boot();
      const say = async (script: string): Promise<string> => (await system.run(`set -e\n${script}`)).stdout;
      const ready =
        "until curl -fsS -o /dev/null http://127.0.0.1:9640/health/ready; do sleep 0.1; done 2>/dev/null";
      const mainPid = async (): Promise<string> =>
        (await say("systemctl show -p MainPID --value hookline")).trim();

      // Installed before systemd was up, it is enabled and starts with it.
      await say(ready);
      expect(await say("systemctl is-active hookline; systemctl is-enabled hookline")).toBe(
        "active\nenabled\n",
      );
      const first = await mainPid();
      const status = await say(`cat /proc/${first}/status`);
      expect(status).toMatch(/^CapBnd:\s0+$/m);
      expect(status).toMatch(/^NoNewPrivs:\s1$/m);
      expect(status).toMatch(/^Seccomp:\s2$/m);
      // A user that nobody made: systemd gives it a number from 61184 on.
      expect(Number(/^Uid:\s(\d+)/m.exec(status)?.[1])).toBeGreaterThanOrEqual(61_184);
      expect(await say("stat -Lc %a /var/lib/hookline")).toBe("700\n");

      // What waits, waits for a receiver that is not there.
      await say(`cat > /etc/hookline/hookline.json <<'END'
{ "queue": { "driver": "file", "file": { "path": "/var/lib/hookline/store" } },
  "endpoints": { "away": { "url": "http://127.0.0.1:9/" } } }
END
systemctl restart hookline; ${ready}
curl -fsS http://127.0.0.1:9640/v1/queues/webhooks/jobs -H 'content-type: application/json' \\
  -d '{"id":"waits","type":"t","data":{},"endpoint":"away","delay_ms":600000}'`);
      const waiting = `curl -fsS http://127.0.0.1:9640/v1/queues/webhooks | grep -o '"delayed":[0-9]*'`;
      expect(await say(waiting)).toBe('"delayed":1\n');

      // Killed, it is started again by systemd, with all that waits.
      const killed = await mainPid();
      await say(`kill -9 ${killed}; until [ "$(systemctl show -p MainPID --value hookline)" -gt 0 ] &&
        [ "$(systemctl show -p MainPID --value hookline)" != ${killed} ]; do sleep 0.1; done; ${ready}`);
      expect(await say(waiting)).toBe('"delayed":1\n');

      // A configuration that cannot be used: the reload fails, the server goes on.
      const refused = await system.run(
        `echo '{' > /root/bad; mv /etc/hookline/hookline.json /root/good; cp /root/bad /etc/hookline/hookline.json
        systemctl reload hookline`,
        { code: 1 },
      );
      expect(refused.stderr).toContain("Job for hookline.service failed");
      await say("mv /root/good /etc/hookline/hookline.json; systemctl reload hookline");
      await say(ready);

      // An upgrade starts the new one, with the configuration that was edited and what waits.
      const old = await mainPid();
      await say(`dpkg -i /root/next.deb; ${ready}`);
      expect(await mainPid()).not.toBe(old);
      expect(await say("dpkg-query -W -f '${Version}' hookline")).toBe("99.0.0");
      expect(await say(waiting)).toBe('"delayed":1\n');
      expect(await say("stat -c '%a %G' /etc/hookline/hookline.json")).toBe("640 hookline-conf\n");

      // remove keeps the configuration and what waits, purge does not.
      await say(
        "dpkg --remove hookline; test -e /etc/hookline/hookline.json; test -d /var/lib/private/hookline/store",
      );
      expect((await system.run("systemctl is-active hookline", { code: 3 })).stdout).toBe("inactive\n");
      const left = await say(`dpkg --purge hookline >/dev/null
        for path in /etc/hookline /var/lib/hookline /var/lib/private/hookline /usr/share/doc/hookline /usr/share/hookline; do
          if [ -e $path ]; then echo $path; fi
        done
        getent group hookline-conf || true
        systemctl list-units --failed --plain --no-legend`);
      expect(left).toBe("");
    },
    timeoutMs,
  );

  /** The same package under a higher number, in the machine's /root. */
  async function makeNextVersion(release: ReleaseFiles): Promise<void> {
    const folder = join(machine.path, "root", "next");
    await run(["dpkg-deb", "-R", release.find("_amd64.deb"), folder]);
    const control = join(folder, "DEBIAN", "control");
    writeFileSync(control, readFileSync(control, "utf8").replace(/^Version: .*$/m, "Version: 99.0.0"));
    await run([
      "dpkg-deb",
      "--root-owner-group",
      "-Znone",
      "-b",
      folder,
      join(machine.path, "root", "next.deb"),
    ]);
  }
});

import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "./until.ts";
import { run, type CommandOptions, type CommandOutput } from "./command.ts";

/** An empty Debian in a folder, in which programs run as root, with a network of their own that reaches nobody. */
export interface DebianRoot extends AsyncDisposable {
  readonly path: string;
  /** Runs a shell script in it and kills what the script left running. The folders of `binds` are seen in it. */
  run(
    script: string,
    options?: CommandOptions & { readonly binds?: Readonly<Record<string, string>> },
  ): Promise<CommandOutput>;
  /** Boots it with its own systemd and a network of its own; a script then runs beside the services. */
  boot(): Promise<BootedDebian>;
}

/** A Debian whose systemd is up; disposing of it shuts it down. */
export interface BootedDebian extends AsyncDisposable {
  run(script: string, options?: CommandOptions): Promise<CommandOutput>;
}

async function boot(path: string): Promise<BootedDebian> {
  const flags = ["--quiet", "--boot", "--register=no", "--keep-unit", "--private-network", "--console=pipe"];
  const container = Bun.spawn(["systemd-nspawn", ...flags, "--directory", path], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const output = Promise.all([new Response(container.stdout).text(), new Response(container.stderr).text()]);
  const inside = async (script: string, options: CommandOptions = {}): Promise<CommandOutput> => {
    const children = readFileSync(`/proc/${container.pid}/task/${container.pid}/children`, "utf8");
    const leader = children.trim().split(" ")[0];
    if (!leader) throw new Error("the container has not started yet");
    return run(["nsenter", "--target", leader, "--all", "bash", "-c", script], {
      timeoutMs: 120_000,
      ...options,
    });
  };
  const isUp = async (): Promise<boolean> => {
    if (container.exitCode !== null) throw new Error(`systemd-nspawn ended:\n${(await output).join("")}`);
    return inside("systemctl is-system-running").then(
      ({ stdout }) => stdout.trim() === "running",
      () => false,
    );
  };
  await until(isUp, { timeoutMs: 120_000, everyMs: 500, what: "systemd in the container" });
  return {
    run: inside,
    [Symbol.asyncDispose]: async () => {
      // systemd-nspawn shuts its container down in order.
      container.kill("SIGTERM");
      await container.exited;
    },
  };
}

/** Where this machine's apt gets Debian from, and which release it is; an empty machine must be of the same. */
function aptSource(): { readonly mirror: string; readonly suite: string } {
  const folder = "/etc/apt/sources.list.d";
  const files = ["/etc/apt/sources.list", ...readdirSync(folder).map((name) => join(folder, name))];
  const text = files.map((file) => (existsSync(file) ? readFileSync(file, "utf8") : "")).join("\n");
  const mirror = /^(?:URIs: |deb (?:\[[^\]]*\] )?)(https?:\/\/\S+\/debian\/?)(?:\s|$)/m.exec(text)?.[1];
  const suite = /^VERSION_CODENAME=(\w+)$/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1];
  if (mirror === undefined || suite === undefined)
    throw new Error("this machine's apt names no Debian mirror");
  return { mirror, suite };
}

/**
 * Makes it with debootstrap: a minimal Debian with the packages named. Takes a minute or more.
 *
 * HOOKLINE_DEBIAN_ROOT names one that is there already, with those packages: it is copied.
 */
export async function createDebianRoot(packages: readonly string[]): Promise<DebianRoot> {
  const known = process.env["HOOKLINE_DEBIAN_ROOT"];
  const { mirror, suite } = aptSource();
  const parent = mkdtempSync(join(tmpdir(), "hookline-debian-"));
  const path = join(parent, "root");
  const include = packages.length === 0 ? [] : [`--include=${packages.join(",")}`];
  const make = ["debootstrap", "--variant=minbase", ...include, suite, path, mirror];
  await run(known ? ["cp", "-a", known, path] : make, { timeoutMs: 1_200_000 });
  return {
    path,
    run: (script, { binds = {}, ...options } = {}) => {
      for (const target of Object.values(binds)) mkdirSync(join(path, target), { recursive: true });
      // The mounts are gone with the namespace, and all processes with its first one.
      const mounts = Object.entries(binds).map(([from, to]) => `mount --rbind '${from}' '${path}${to}'`);
      const enter = [
        "set -e",
        "ip link set lo up",
        `mount --rbind /dev '${path}/dev'`,
        `mount -t proc proc '${path}/proc'`,
        ...mounts,
        `exec chroot '${path}' /usr/bin/env -i HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \\`,
        `  PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin bash -c "$1"`,
      ].join("\n");
      const namespaces = [
        "unshare",
        "--net",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        "--propagation",
        "private",
      ];
      return run([...namespaces, "sh", "-c", enter, "sh", script], { timeoutMs: 300_000, ...options });
    },
    boot: () => boot(path),
    [Symbol.asyncDispose]: async () => {
      const mounted = readFileSync("/proc/mounts", "utf8").includes(` ${path}/`);
      if (mounted) throw new Error(`something is still mounted below ${path}: it is left as it is`);
      await Promise.resolve(rmSync(parent, { recursive: true, force: true }));
    },
  };
}

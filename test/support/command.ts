/** What a program that ended well has written. */
export interface CommandOutput {
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly cwd?: string;
  /** Added to PATH and HOME; nothing else of a developer's environment reaches the program. */
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  /** The exit code that is expected, 0 if none is given. */
  readonly code?: number;
  readonly timeoutMs?: number;
}

/** Runs a program to its end; throws with all that it wrote when its exit code is another, or after `timeoutMs` (60 s). */
export async function run(command: readonly string[], options: CommandOptions = {}): Promise<CommandOutput> {
  const { timeoutMs = 60_000, code: expected = 0 } = options;
  const base = Object.fromEntries(
    ["PATH", "HOME", "TMPDIR"].flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])),
  );
  const child = Bun.spawn([...command], {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...base, ...options.env },
    stdin: options.stdin === undefined ? "ignore" : new Blob([options.stdin]),
    stdout: "pipe",
    stderr: "pipe",
  });
  const timer = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
  try {
    const [code, stdout, stderr] = await Promise.all([
      child.exited,
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    if (code !== expected) {
      throw new Error(`${command.join(" ")}: exit ${code}, expected ${expected}\n${stdout}${stderr}`);
    }
    return { stdout, stderr };
  } finally {
    clearTimeout(timer);
  }
}

import { expect, test } from "bun:test";
import { runExecutable, startExecutable, token } from "../support/executable.ts";
import { startReceiver } from "../support/receiver.ts";
import { startRedis } from "../support/redis-server.ts";
import { until } from "../support/until.ts";
import { configFor, jobNumber } from "./scenario.ts";

/** `hookline status` of a server. */
const status = (url: string, ...args: string[]) =>
  runExecutable(["status", "--url", url, "--token", token, ...args]);

interface Listed {
  readonly problems: readonly Record<string, string>[];
  readonly queues: readonly Record<string, unknown>[];
}

test("status lists problems with since, object and remedy, and the queues; an error makes its exit code 1", async () => {
  const redis = await startRedis();
  try {
    await using receiver = await startReceiver();
    const queue = { driver: "redis", redis: { url_override: redis.url }, queues: ["webhooks", "mail"] };
    await using server = await startExecutable(configFor([{ name: "main", url: receiver.url }], { queue }));
    await server.api("POST", "/v1/queues/mail/pause");
    await server.enqueue("mail", [jobNumber(1), jobNumber(2)]);

    // Redis without a file may be not_durable as well: a warning, as the pause is a note.
    const calm = await status(server.url);
    expect(calm).toMatchObject({ code: 0, stderr: "" });
    expect(calm.stdout).toMatch(
      /^note +queue_paused {2}mail {2}since 20\d\d-[-\dT:.]+Z\n.*\n +remedy: resume it$/m,
    );
    expect(calm.stdout).toMatch(/^QUEUE +READY +DELAYED +LEASED +PARKED +DEAD +OLDEST$/m);
    expect(calm.stdout).toMatch(/^mail +2 +0 +0 +0 +0 +\d+ [smh] +paused$/m);
    expect(calm.stdout).toMatch(/^webhooks +0 +0 +0 +0 +0 +-$/m);

    await redis.client.config("SET", "min-replicas-to-write", "1");
    await until(
      async () => {
        await server.api("POST", "/v1/queues/webhooks/jobs", jobNumber(3));
        const { body } = await server.api("GET", "/v1/problems");
        return (body as { severity: string }[]).some(({ severity }) => severity === "error");
      },
      { what: "a problem of severity error", everyMs: 50 },
    );
    const grave = await status(server.url, "--json");
    expect(grave.code).toBe(1);
    const { problems, queues } = JSON.parse(grave.stdout) as Listed;
    expect(problems[0]).toMatchObject({ severity: "error", kind: "backend_refuses_writes" });
    expect(Object.keys(problems[0]!)).toEqual(
      expect.arrayContaining(["since", "object", "remedy", "detail"]),
    );
    expect(queues.map(({ name, ready }) => [name, ready])).toContainEqual(["mail", 2]);
    await redis.client.config("SET", "min-replicas-to-write", "0");
  } finally {
    await redis.stop();
  }
}, 120_000);

test("status says that nothing stands; a refusal and a server that is away are told, exit code 1", async () => {
  await using server = await startExecutable(configFor([]));
  const well = await status(server.url);
  expect(well).toMatchObject({ code: 0, stderr: "" });
  expect(well.stdout).toStartWith("nothing needs you\n\nQUEUE ");
  const refused = await runExecutable(["status", "--url", server.url, "--token", "another", "--json"]);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain('"status":401');
  const { url } = server;
  await server.stop();
  expect(await status(url)).toMatchObject({ code: 1, stdout: "" });
});

import { QueueBrokenError } from "../../../errors.ts";
import { replyList, replyText } from "./evaluate.ts";
import { keyTypes } from "./keys.ts";
import type { QueueKeys } from "./keys.ts";
import { deniedCommands, probeScript } from "./permissions.ts";
import { script } from "./script.ts";
import type { RedisServer } from "./server.ts";
import { onServer } from "./topology.ts";
import type { Topology } from "./topology.ts";

/** The types of the keys, in their order, then of the lists of parked jobs: {failure, type…, key, type…}. */
export const typesScript = script(
  "types",
  `
local out = {''}
for i = 1, #KEYS do
  local kind = try('TYPE', KEYS[i])
  out[#out + 1] = kind and kind.ok or ''
end
if out[9] == 'set' then
  local keys = try('SMEMBERS', parked) or {}
  for i = 1, math.min(#keys, 1000) do
    local kind = try('TYPE', parked .. ':' .. keys[i])
    out[#out + 1] = parked .. ':' .. keys[i]
    out[#out + 1] = kind and kind.ok or ''
  end
end
out[1] = failure
return out
`,
);

/**
 * What is wrong with the types of a queue's keys, one sentence, null when nothing is; and whether producers have pushed
 * anything that waits.
 *
 * Throws what Redis answers where it cannot be asked.
 */
export async function examineKeys(
  server: RedisServer,
  keys: QueueKeys,
): Promise<{ problem: string | null; isEmpty: boolean }> {
  const redis = await server.commands();
  const count = keys.all.length;
  const reply = await redis.callBuffer("EVAL", typesScript.source, count, ...keys.all);
  const [failure = "", ...texts] = replyList(reply as never).map(replyText);
  const problems = keys.all.map((key, index) =>
    typeProblem(key, texts[index] ?? "", keyTypes[index] ?? null),
  );
  for (let at = count; at + 1 < texts.length; at += 2) {
    problems.push(typeProblem(texts[at] ?? "", texts[at + 1] ?? "", "list"));
  }
  const problem = problems.find((found) => found !== null) ?? (failure === "" ? null : failure.slice(0, 300));
  return { problem, isEmpty: texts[0] === "none" };
}

/**
 * What is wrong with a queue's keys and with the user's rights, one sentence; null when nothing is.
 *
 * Throws DriverUnavailableError when the server does not answer.
 */
export async function examineQueue(topology: Topology, keys: QueueKeys): Promise<string | null> {
  try {
    return await onServer(topology, keys.ready, "examining the queue", async (server) => {
      const { problem } = await examineKeys(server, keys);
      if (problem !== null) return problem;
      const redis = await server.commands();
      const denied = deniedCommands(
        (await redis.callBuffer("EVAL", probeScript.source, keys.all.length, ...keys.all)) as never,
      );
      return denied.length === 0 ? null : `the Redis user may not run ${denied.join(", ")}`;
    });
  } catch (error) {
    if (error instanceof QueueBrokenError) return error.message;
    throw error;
  }
}

function typeProblem(key: string, type: string, expected: string | null): string | null {
  if (expected === null || type === expected || type === "none" || type === "") return null;
  return `the key ${key} is a ${type} where a ${expected} belongs; delete or rename it`;
}

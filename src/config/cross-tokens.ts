import { defaultTokenName } from "./schema-tokens.ts";
import type { CrossFindings, CrossView } from "./cross-view.ts";
import { checkUnique } from "./unique.ts";

/** A shorter token is warned of. */
const shortestToken = 16;

/** Names and values are unique, `server.token` included; queues that a token is limited to are configured. */
export function checkTokens({ config }: CrossView, { issue, warn }: CrossFindings): void {
  const { server, queue } = config;
  const all = [{ name: defaultTokenName, token: server?.token ?? undefined }, ...(server?.tokens ?? [])];
  const pathOf = (index: number, key: string): (string | number)[] =>
    index === 0 ? ["server", "token"] : ["server", "tokens", index - 1, key];
  const whose = (index: number): string => (index === 0 ? "server.token" : `server.tokens.${index - 1}`);
  checkUnique(
    all.map((one, index) => (index === 0 && one?.token === undefined ? undefined : one?.name)),
    (index, earlier, name) => {
      issue(pathOf(index, "name"), `"${name}" is the name of ${whose(earlier)} too; give it another one`);
    },
  );
  checkUnique(
    all.map((one) => one?.token),
    (index, earlier) => {
      issue(pathOf(index, "token"), `${whose(earlier)} is the same token; each needs one of its own`);
    },
  );
  for (const [index, one] of all.entries()) {
    if (typeof one?.token === "string" && one.token.length < shortestToken) {
      const path = pathOf(index, "token").join(".");
      warn(`${path} has fewer than ${shortestToken} characters: take a longer, random one`);
    }
  }
  const known = new Set((queue?.queues ?? []).map((one) => one?.name));
  for (const [index, one] of (server?.tokens ?? []).entries()) {
    for (const [at, name] of (one?.queues ?? []).entries()) {
      if (name === undefined || known.has(name)) continue;
      issue(
        ["server", "tokens", index, "queues", at],
        `names a queue that queue.queues does not hold; it holds ${[...known].join(", ")}`,
      );
    }
  }
}

import type { Buffer } from "node:buffer";
import { HooklineError } from "../../../errors.ts";
import type { DeadLetter, DeadLetterPage, DeadLetterPageRequest, RedriveSelection } from "../../driver.ts";
import { evaluate, replyList, replyText } from "./evaluate.ts";
import type { ScriptArgument } from "./evaluate.ts";
import type { QueueKeys } from "./keys.ts";
import { randomName } from "./look.ts";
import { readDeadLetter } from "./record.ts";
import type { Script } from "./script.ts";
import { deadPageScript, redriveScript, removeDeadScript } from "./dead-scripts.ts";
import { onServer } from "./topology.ts";
import type { Topology } from "./topology.ts";

/** Jobs redriven in one script call: bodies may be large, and Redis serves nobody else meanwhile. */
const redriveStep = 200;

/** The dead letters of one queue: list, redrive, remove. */
export function createDeadLetters(topology: Topology, keys: QueueKeys) {
  const run = (script: Script, what: string, args: readonly ScriptArgument[]) =>
    onServer(topology, keys.ready, what, async (server) =>
      evaluate(await server.commands(), script, keys.all, args),
    );

  return {
    /** Newest first; the cursor is the time of the last one, unique to the microsecond. */
    async page({ limit, cursor, maxBytes }: DeadLetterPageRequest): Promise<DeadLetterPage> {
      if (cursor !== null && !/^\d+$/.test(cursor)) {
        throw new HooklineError("bad_cursor", "cursor: expected the cursor of a previous page");
      }
      const start = cursor === null ? "+inf" : `(${cursor}`;
      const most = maxBytes ?? Number.MAX_SAFE_INTEGER;
      const [isCut, ...reply] = replyList(
        await run(deadPageScript, "listing dead letters", [limit, start, most]),
      );
      const items: DeadLetter[] = [];
      for (let at = 0; at < reply.length; at += 3) {
        items.push(readDeadLetter(replyText(reply[at]), reply[at + 2] as Buffer));
      }
      const last = isCut === 1 || items.length === limit ? replyText(reply[reply.length - 2]) : null;
      return { items, cursor: last, complete: true };
    },

    async redrive(which: RedriveSelection): Promise<number> {
      let done = 0;
      if ("ids" in which) {
        for (let at = 0; at < which.ids.length; at += redriveStep) {
          const ids = which.ids.slice(at, at + redriveStep);
          done += Number(await run(redriveScript, "redriving", [`${randomName()}-r`, "ids", ...ids]));
        }
        return done;
      }
      while (done < which.max) {
        const step = Math.min(redriveStep, which.max - done);
        const moved = Number(await run(redriveScript, "redriving", [`${randomName()}-r`, "max", step]));
        done += moved;
        if (moved < step) break;
      }
      return done;
    },

    async remove(id: string): Promise<boolean> {
      return Number(await run(removeDeadScript, "removing a dead letter", [id])) === 1;
    },
  };
}

export type DeadLetters = ReturnType<typeof createDeadLetters>;

import { hostname } from "node:os";
import type { Clock } from "../../../clock.ts";
import type { Logger } from "../../../log.ts";
import type { Finding } from "../../../problems/finding.ts";
import { version } from "../../../version.ts";
import type { LivingProcess, RankMark, Ranks } from "../../driver.ts";
import { replyText } from "./evaluate.ts";
import type { QueueLink } from "./queue-link.ts";
import { livesMs, processesScript, rankScript } from "./rank-script.ts";

const renewMs = 3_000;

/** One queue's part: which rank this process has there, and whether it is behind. */
export interface QueueRank {
  /** 0 = it has not joined, and takes what it gets; null = it has, and the backend has not given it a rank yet. */
  rank(): number | null;
  /** A look said whether processes of a newer rank live. */
  setBehind(isBehind: boolean): void;
}

/** The ranks of this process' queues. */
export interface RedisRanks extends Ranks {
  of(queue: string): QueueRank;
  findings(): Finding[];
  close(): void;
}

interface Place {
  readonly link: QueueLink;
  mark: RankMark | null;
  /** As it stands in the backend; "" = it does not. */
  member: string;
  rank: number;
  /** The rank that its configuration has had here; 0 for one that is new. */
  had: number;
  /** Since when it is behind, epoch ms; null = it is not. */
  behindSince: number | null;
}

export interface RedisRanksOptions {
  readonly process: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * Keeps this process in line on each queue (contract §7, "Ranks"), by the server's clock alone.
 *
 * A renewal that fails is made again three seconds later; a process that is away for longer than it counts brings
 * its rank along when it is back, so that an older one never becomes the newest by a broken connection.
 */
export function createRanks(options: RedisRanksOptions): RedisRanks & { add(link: QueueLink): void } {
  const { clock, log } = options;
  const places = new Map<string, Place>();
  const startedAt = clock.now();
  let timer: ReturnType<typeof setInterval> | null = null;
  /** One after another: a renewal that was sent before a change must not be answered after it. */
  let last: Promise<unknown> = Promise.resolve();

  const placeOf = (queue: string): Place => {
    const place = places.get(queue);
    if (place === undefined) throw new Error(`redis: the queue "${queue}" is not configured`);
    return place;
  };
  const about = JSON.stringify({ id: options.process, host: hostname(), started_at: startedAt, version });

  const renew = async (place: Place): Promise<void> => {
    const { mark } = place;
    if (mark === null) return;
    const member = `${mark.hash} ${about}`;
    const args = [member, place.member, mark.hash, mark.revision ?? 0, place.had, livesMs];
    const values = await place.link.call("renewing the rank", rankScript, args);
    place.member = member;
    place.rank = Number(replyText(values[1]));
    place.had = place.rank;
  };
  /** What fails is among the queue's troubles, and is tried again. */
  const renewAll = (): Promise<unknown> =>
    (last = last.then(() => Promise.allSettled([...places.values()].map(renew))));
  const stop = (): void => {
    if (timer !== null) clearInterval(timer);
    timer = null;
  };

  return {
    add: (link) =>
      void places.set(link.queue, { link, mark: null, member: "", rank: 0, had: 0, behindSince: null }),
    async join(marks) {
      for (const [queue, mark] of marks) {
        const place = placeOf(queue);
        // Until the backend has answered, what is leased counts as the former configuration's.
        if (place.mark?.hash !== mark.hash) place.had = 0;
        place.mark = mark;
      }
      timer ??= setInterval(() => void renewAll(), renewMs);
      await renewAll();
    },
    leave: stop,
    async processes() {
      const found = new Map<string, LivingProcess & { queues: string[] }>();
      for (const [queue, { link }] of places) {
        const values = (await link.call("counting", processesScript, [])).map((value) => replyText(value));
        const top = Number(values[1]);
        for (let at = 2; at + 1 < values.length; at += 2) {
          const one = readMember(values[at] as string, Number(values[at + 1]), top);
          if (one === null) continue;
          const known = found.get(one.id);
          if (known === undefined) found.set(one.id, { ...one, queues: [queue] });
          else {
            known.queues.push(queue);
            found.set(one.id, { ...known, behind: known.behind || one.behind });
          }
        }
      }
      return [...found.values()];
    },
    standing() {
      return [...places].flatMap(([queue, { mark, rank, behindSince }]) =>
        mark === null ? [] : [{ queue, rank, behind: behindSince !== null }],
      );
    },
    of(queue) {
      return {
        rank() {
          const { mark, rank } = placeOf(queue);
          return mark !== null && rank === 0 ? null : rank;
        },
        setBehind(isBehind) {
          const place = placeOf(queue);
          if ((place.behindSince !== null) === isBehind) return;
          place.behindSince = isBehind ? clock.now() : null;
          if (isBehind) {
            log.warn(
              "a process with a newer configuration consumes the queue: this one takes nothing more of it",
              {
                queue,
                rank: place.rank,
              },
            );
          } else log.info("this process consumes the queue again", { queue, rank: place.rank });
        },
      };
    },
    findings() {
      return [...places].flatMap(([object, { behindSince }]): Finding[] => {
        if (behindSince === null) return [];
        const detail =
          "a process with a newer configuration consumes the queue; this one takes nothing of it";
        return [{ kind: "process_behind", object, since: behindSince, detail }];
      });
    },
    close: stop,
  };
}

/** Null for what no process of ours has written. */
function readMember(member: string, rank: number, top: number): Omit<LivingProcess, "queues"> | null {
  try {
    const about = JSON.parse(member.slice(member.indexOf(" ") + 1)) as Record<string, unknown>;
    const { id, host, started_at: startedAt, version: its } = about;
    if (typeof id !== "string" || typeof host !== "string") return null;
    if (typeof startedAt !== "number" || typeof its !== "string") return null;
    return { id, host, startedAt, version: its, rank, behind: rank < top };
  } catch {
    return null;
  }
}

import { createPermits, type Permits } from "./permits.ts";

/** A queue of a polling group, as the group sees it. */
export interface GroupMember {
  /** Turns in a round (weighted); ignored by strict, where the order in the group counts. */
  readonly weight: number;
  /** Whether the queue could use a slot now. */
  wantsSlot(): boolean;
  /** Whether anything of the queue is in flight, or waits and is not held back by its endpoint. */
  isBusy(): boolean;
  /** Starts what may start. */
  pump(): void;
}

/** The shared slots of a polling group: one set for several queues (`queue.groups`). */
export interface GroupSlots {
  /** Adds a queue, in the group's order, and gives its view of the slots. */
  join(member: GroupMember): Permits;
}

/**
 * Hands the group's slots to its queues.
 *
 * strict: a queue may start only while no queue before it wants a slot. weighted: each queue has as many
 * turns in a round as its weight; one that wants nothing passes its turns on, so that no slot stands idle.
 * Beyond the slots, an endpoint with nothing in flight may start one (turns.ts): with strict only while no
 * queue before its own is busy.
 * Every queue polls by itself, so that an empty one's long poll never delays another (shoryuken#316).
 */
export function createGroupSlots(concurrency: number, strategy: "weighted" | "strict"): GroupSlots {
  const slots = createPermits(concurrency);
  const members: { member: GroupMember; credit: number }[] = [];

  const wants = ({ member }: { member: GroupMember }): boolean => member.wantsSlot();
  const mayStart = (mine: { member: GroupMember; credit: number }): boolean => {
    if (!slots.isAvailable()) return false;
    if (strategy === "strict") {
      for (const other of members) {
        if (other === mine) return true;
        if (wants(other)) return false;
      }
      return true;
    }
    if (mine.credit > 0) return true;
    // The round is over for me; it goes on for those that have turns left and want them.
    if (members.some((other) => other !== mine && other.credit > 0 && wants(other))) return false;
    for (const each of members) each.credit = each.member.weight;
    return true;
  };
  const mayExceed = (mine: { member: GroupMember }): boolean => {
    if (strategy === "weighted") return true;
    for (const other of members) {
      if (other === mine) return true;
      if (other.member.isBusy()) return false;
    }
    return true;
  };
  const pumpOthers = (mine: { member: GroupMember }): void => {
    for (const other of members) if (other !== mine && slots.isAvailable()) other.member.pump();
  };

  return {
    join(member) {
      const mine = { member, credit: member.weight };
      members.push(mine);
      return {
        isAvailable: () => mayStart(mine),
        mayExceed: () => mayExceed(mine),
        take() {
          slots.take();
          mine.credit = Math.max(0, mine.credit - 1);
          // Using up a turn may be what another waited for.
          if (slots.isAvailable()) queueMicrotask(() => pumpOthers(mine));
        },
        give() {
          slots.give();
          queueMicrotask(() => pumpOthers(mine));
        },
        get inUse() {
          return slots.inUse;
        },
      };
    },
  };
}

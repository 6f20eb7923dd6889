import type { Clock } from "../clock.ts";
import type { Finding } from "../problems/finding.ts";

/** Says from when on a queue's room for jobs has been nearly full; knows nothing between two questions. */
export interface RoomWatch {
  /**
   * @param used What is taken of `most`; null where there is no limit.
   * @param describe One sentence with figures; asked only where it stands.
   */
  finding(object: string, used: number, most: number | null, describe: () => string): Finding[];
}

const nearShare = 0.8;

/** A watch that is asked when somebody asks for the problems: `since` is when it was seen first. */
export function createRoomWatch(clock: Clock): RoomWatch {
  const since = new Map<string, number>();
  return {
    finding(object, used, most, describe) {
      if (most === null || most === Infinity || used < most * nearShare) {
        since.delete(object);
        return [];
      }
      const began = since.get(object) ?? clock.now();
      since.set(object, began);
      return [{ kind: "store_nearly_full", object, since: began, detail: describe() }];
    },
  };
}

import type { LeaseOptions } from "../queue/driver.ts";
import type { Lane } from "./lane.ts";
import type { Room } from "./room.ts";

/** What a lease call asks for. */
export type LeaseCall = Pick<LeaseOptions, "max" | "closedKeys" | "parkedMax">;

/**
 * What the backend holds parked for the lanes, and how the next lease call asks for it.
 *
 * A lane is closed for parked jobs while its gate is, and while it has enough; each open one gets what fits
 * into its window. Which lanes have jobs parked is known from what was parked and from what calls brought.
 */
export interface Supply {
  /** Jobs of the lane were parked; also those that an earlier process parked and a call brought. */
  parked(lane: Lane): void;
  /** The lane's gate or what waits in it changed. Announces it when it is open and has jobs parked. */
  changed(lane: Lane): void;
  /** The lanes' windows may have changed. */
  reconsider(): void;
  /** Of the call being admitted: one came for this lane, and waits or was parked again. */
  came(lane: Lane, isParked: boolean): void;
  /** @param space How many leases there is room for. */
  nextCall(space: number): LeaseCall;
  /** What the last call brought has been admitted. */
  brought(count: number, call: LeaseCall): void;
  onOpen(listener: (key: string) => void): void;
}

export interface SupplyOptions {
  readonly room: Room;
  /** Most to take of a parked key that no lane is known for, as after a restart. */
  readonly unknownMax: number;
  /** Told when a lane's `mayHaveParked` changed. */
  readonly recount: (lane: Lane) => void;
}

export function createSupply({ room, unknownMax, recount }: SupplyOptions): Supply {
  const withParked = new Set<Lane>();
  /** Of the call being admitted: how many came, Infinity for a lane some of which were parked again. */
  const arrived = new Map<Lane, number>();
  /** Made anew only after a change: with a thousand dead endpoints, a call must not look at each of them. */
  let known: { closedKeys: Set<string>; open: Lane[]; parkedMax: number } | null = null;
  /** Lanes that were open for the call under way. */
  let asked: readonly Lane[] = [];
  let openListener: (key: string) => void = () => undefined;
  let waiting = 0;
  let widened = 0;

  const isOpen = (lane: Lane): boolean => !lane.gate.isClosed && !room.isSupplied(lane);
  const setParked = (lane: Lane, value: boolean): void => {
    known = null;
    if (value) withParked.add(lane);
    else withParked.delete(lane);
    if (lane.mayHaveParked === value) return;
    lane.mayHaveParked = value;
    recount(lane);
  };
  const look = (): NonNullable<typeof known> => {
    const closedKeys = new Set<string>();
    const open: Lane[] = [];
    let parkedMax = unknownMax;
    for (const lane of withParked) {
      if (isOpen(lane)) {
        open.push(lane);
        parkedMax = Math.min(parkedMax, room.wanted(lane));
      } else closedKeys.add(lane.key);
    }
    return { closedKeys, open, parkedMax };
  };

  return {
    parked: (lane) => setParked(lane, true),
    changed(lane) {
      if (!lane.mayHaveParked) return;
      known = null;
      if (isOpen(lane)) openListener(lane.key);
    },
    reconsider: () => void (known = null),
    came(lane, isParked) {
      arrived.set(lane, isParked ? Infinity : (arrived.get(lane) ?? 0) + 1);
      if (isParked) setParked(lane, true);
      else waiting += 1;
    },
    nextCall(space) {
      known ??= look();
      asked = known.open;
      return { max: Math.max(space, widened), closedKeys: known.closedKeys, parkedMax: known.parkedMax };
    },
    brought(count, { max, parkedMax }) {
      // A call that was filled may have left any lane out. Otherwise each open lane got what there was for it.
      for (const lane of count < max ? asked : []) {
        if ((arrived.get(lane) ?? 0) < parkedMax) setParked(lane, false);
      }
      // A backlog that is only parked takes up no room: the sooner it is through, the sooner others' jobs come.
      widened = count > 0 && waiting === 0 ? 2 * max : 0;
      arrived.clear();
      waiting = 0;
    },
    onOpen(listener) {
      openListener = listener;
    },
  };
}

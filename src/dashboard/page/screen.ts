import type { FunctionComponent } from "preact";
import type { Address } from "./address.ts";

/** What every screen is given. */
export interface ScreenProps {
  readonly address: Address;
  /** What the caller's token may do: a button for what it may not is not shown. */
  readonly can: Rights;
}

export interface Rights {
  readonly operate: boolean;
  /** What is refused without a configured token (contract §4). */
  readonly remove: boolean;
}

/** One screen of the page. */
export interface Screen {
  /** The first part of its address. */
  readonly path: string;
  /** Its name in the list of screens; null where it is reached from another. */
  readonly name: string | null;
  /** The entry of the list that it belongs to, where it has none. */
  readonly under?: string;
  readonly title: (address: Address) => string;
  readonly view: FunctionComponent<ScreenProps>;
}

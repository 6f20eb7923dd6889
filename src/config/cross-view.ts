import type { Loose } from "./holes.ts";
import type { Config, ConfigInput } from "./schema.ts";

/** What the checks across keys look at. */
export interface CrossView {
  /** As the user wrote it: what is not there was not said. */
  readonly input: Loose<ConfigInput>;
  /** With defaults. */
  readonly config: Loose<Config>;
  /** Who set the value at a path, as Layers.sourceOf. */
  readonly sourceOf: (path: readonly string[]) => string;
}

/** What they find. */
export interface CrossFindings {
  readonly issue: (path: readonly (string | number)[], message: string) => void;
  /** Works, but is surely not what was meant. */
  readonly warn: (message: string) => void;
}

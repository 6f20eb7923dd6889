import type { RunCommand } from "./command.ts";

/** A command as help shows it and main.ts finds it. */
export interface CommandEntry {
  readonly name: string;
  /** What follows the name, as in `QUEUE [FILE|-]`. */
  readonly synopsis: string;
  /** One line of at most 36 characters: it shares its line of the overview with the example. */
  readonly summary: string;
  /** One example that can be typed as it stands, of at most 40 characters. */
  readonly example: string;
  /** The text of `hookline help NAME`, after the synopsis. */
  readonly details: string;
  /** Set for commands that are alike: the overview names all of one text on one line, with it. */
  readonly sharesLine?:
    | "list, pause, test what a server has"
    | "about the program itself"
    | "keys and signatures, for receivers";
  /** Loads the code only when the command runs: `hookline health` must not wait for the AWS SDK. */
  readonly load: () => Promise<RunCommand>;
}

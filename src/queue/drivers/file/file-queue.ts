import type { PauseNote } from "../../pause-note.ts";
import type { DeadLetters } from "../memory/dead-letters.ts";
import type { MemoryQueue } from "../memory/memory-queue.ts";
import type { ColdLine } from "./cold-line.ts";

/** What a queue is made of. */
export interface FileQueue extends MemoryQueue {
  readonly name: string;
  readonly dead: DeadLetters;
  readonly line: ColdLine;
  readonly pause: PauseNote;
}

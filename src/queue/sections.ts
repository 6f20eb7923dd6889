import { registry } from "./registry.ts";

type Registered = (typeof registry)[keyof typeof registry];

/** What all members of a union have, together. */
type All<Union> = (Union extends unknown ? (member: Union) => void : never) extends (all: infer Both) => void
  ? Both
  : never;
/** A backend's part of this name; nothing of one that has none. */
type Part<Backend, Name extends string> =
  Backend extends Readonly<Record<Name, infer Entries>> ? Entries : never;

const backends: readonly Registered[] = Object.values(registry);
const gather = (name: "queue" | "database" | "ofEachQueue"): object =>
  Object.assign({}, ...backends.map((backend) => (name in backend ? backend[name as keyof Registered] : {})));

/** The sections of all backends under `queue`. */
export const sections = gather("queue") as All<Part<Registered, "queue">>;
/** Their sections under `database`. */
export const databaseSections = gather("database") as All<Part<Registered, "database">>;
/** Their keys of each object in `queue.queues`. */
export const ofEachQueue = gather("ofEachQueue") as All<Part<Registered, "ofEachQueue">>;

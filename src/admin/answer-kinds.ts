import * as v from "valibot";

/** The kinds of member that answers are made of, for route descriptions. */

/** A time, or null where there is none. */
export const time = (description: string) =>
  v.nullable(v.pipe(v.string(), v.isoTimestamp(), v.description(description)));

export const text = (description: string) => v.pipe(v.string(), v.description(description));

export const count = (description: string) =>
  v.pipe(v.number(), v.integer(), v.minValue(0), v.description(description));

/** A number of jobs or an age; null for what the backend cannot tell. */
export const countIfTold = (description: string) => v.nullable(count(description));

/** A page of a list: `{NAME: […], cursor, complete}`. */
export const pageOf = <const Name extends string, const Entry extends v.GenericSchema>(
  name: Name,
  entry: Entry,
) =>
  v.object({
    ...({ [name]: v.array(entry) } as { readonly [Key in Name]: v.ArraySchema<Entry, undefined> }),
    cursor: v.nullable(text("Where the next page begins; null on the last one.")),
    complete: v.pipe(v.boolean(), v.description("Nothing is left out and no page follows.")),
  });

/** A list that is hardly ever too long for one answer: `{NAME: […]}`, with a cursor if it is. */
export const shortListOf = <const Name extends string, const Entry extends v.GenericSchema>(
  name: Name,
  entry: Entry,
) =>
  v.object({
    ...({ [name]: v.array(entry) } as { readonly [Key in Name]: v.ArraySchema<Entry, undefined> }),
    cursor: v.optional(text("Where the next page begins; absent on the last one.")),
    complete: v.optional(v.literal(false)),
  });

/** Where a state holds. */
export const scope = v.pipe(
  v.picklist(["cluster", "process"]),
  v.description("`cluster`: in every process of this backend. `process`: in this one only."),
);

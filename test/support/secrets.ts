/**
 * The secrets of the e2e tests, and the search for them in everything the executables wrote or answered.
 *
 * Every secret but the two of the Soketi fixture holds the marker, so that a part of one is found too.
 */

const marker = "HKSECRET";

/** A secret that is unlike any other text: `secret("token")` is the same in every process of a run. */
export function secret(name: string): string {
  return `${marker}${name}${Buffer.from(name).toString("hex")}`;
}

/** The app of the fixture: its signatures were made with these. */
export const fixtureApp = { id: "app-1", key: "app-key", secret: "app-secret" } as const;

const needles: readonly RegExp[] = [
  new RegExp(`.{0,60}${marker}.{0,20}`, "gi"),
  // Base64 of the marker at each of the three offsets.
  ...["SEtTRUNSRV", "hLU0VDUkVU", "IS1NFQ1JFV"].map((text) => new RegExp(`.{0,60}${text}.{0,20}`, "g")),
  /.{0,60}app-secret.{0,20}/g,
  /.{0,60}app-key.{0,20}/g,
];

/** Excerpts of the text around each secret in it; empty when there is none. */
export function findSecrets(text: string): string[] {
  return needles.flatMap((needle) => text.match(needle) ?? []);
}

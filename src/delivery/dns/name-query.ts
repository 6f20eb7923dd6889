import type { promises as dns } from "node:dns";
import { orLate } from "../../wait.ts";
import type { Resolution } from "./resolution.ts";

/** What a name server said, and how long it holds. */
export interface Answer {
  readonly resolution: Resolution;
  readonly ttlMs: number;
}

const minTtlMs = 1000;
const maxTtlMs = 300_000;
const negativeTtlMs = 1000;
/** How long an IPv4 answer waits for the IPv6 one (RFC 8305 §3 calls it the resolution delay). */
const secondFamilyDelayMs = 50;

/**
 * Asks for the IPv4 and IPv6 addresses of one full name at the same time, IPv4 first in the answer; never
 * rejects. The TTL is the shortest record's, between 1 s and 5 min; a failure's is 1 s.
 */
export async function askBothFamilies(resolver: dns.Resolver, name: string): Promise<Answer> {
  const six = settled(() => resolver.resolve6(name, { ttl: true }));
  const four = await settled(() => resolver.resolve4(name, { ttl: true }));
  if (!("records" in four)) {
    const second = await six;
    if ("records" in second) return success(second.records);
    return failure(four.code === "ENOTFOUND" ? second.code : four.code);
  }
  const second = await orLate(six, secondFamilyDelayMs);
  return success(
    second !== null && "records" in second ? [...four.records, ...second.records] : four.records,
  );
}

type Records = readonly { readonly address: string; readonly ttl: number }[];

/** A query's end as data; a name that c-ares refuses to ask for is thrown, not rejected. */
async function settled(query: () => Promise<Records>): Promise<{ records: Records } | { code: string }> {
  try {
    const records = await query();
    return records.length > 0 ? { records } : { code: "ENOTFOUND" };
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    // ENODATA: the name exists, but not with this record; Bun says ENOTFOUND for both.
    return { code: typeof code === "string" && code !== "ENODATA" ? code : "ENOTFOUND" };
  }
}

function success(records: Records): Answer {
  let ttl = Number.POSITIVE_INFINITY;
  for (const record of records) ttl = Math.min(ttl, record.ttl * 1000);
  const addresses = records.map((record) => record.address);
  return {
    resolution: { ok: true, addresses },
    ttlMs: Math.min(maxTtlMs, Math.max(minTtlMs, ttl)),
  };
}

/** A failed answer. */
export function failure(code: string): Answer {
  return { resolution: { ok: false, code }, ttlMs: negativeTtlMs };
}

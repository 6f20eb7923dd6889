import { deliveryIdPattern, safeJobId } from "./id.ts";
import { nativePrefix } from "./native.ts";

/** The ids that a native envelope holds; null where it holds none. */
export interface EnvelopeIds {
  readonly kind: string | null;
  /** The id the job was given at enqueue. */
  readonly id: string | null;
  /** The id of its delivery, once the job is bound to an endpoint. */
  readonly deliveryId: string | null;
}

/** The members that encodeNative writes before a job's content. */
const head =
  /^\{"hookline":1,((?:"(?:id|kind|app_id|app_key|source|signature|endpoint|delivery_id)":"(?:[^"\\]|\\.)*",)+)/;

/** Ids, names and a signature; an envelope whose head is longer is not hookline's own. */
const longestHead = 16_384;

/**
 * The ids of an envelope that hookline wrote, read from its first bytes; null for any other text.
 *
 * Costs the same for a large job as for a small one: lists read many, and the content does not matter to them.
 */
export function readEnvelopeIds(text: string): EnvelopeIds | null {
  if (!text.startsWith(nativePrefix)) return null;
  const members = head.exec(text.slice(0, longestHead))?.[1];
  if (members === undefined) return null;
  let value: Readonly<Record<string, string>>;
  try {
    value = JSON.parse(`{${members.slice(0, -1)}}`) as Record<string, string>;
  } catch {
    // A control character or a wrong escape: no envelope of ours.
    return null;
  }
  const { kind = null, id, delivery_id: deliveryId = null } = value;
  return {
    kind,
    id: id === undefined || id === "" ? null : safeJobId(id),
    deliveryId: deliveryId !== null && deliveryIdPattern.test(deliveryId) ? deliveryId : null,
  };
}

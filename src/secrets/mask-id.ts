/** A job's id that hookline made up, its delivery's, and the number that tells equal dead letters apart. */
const ownId = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?:_[0-9a-f]{8})?(?:\.\d+)?$/;

/**
 * A job's id as an answer may show it: masked, because a producer can put anything into an id.
 *
 * Of ids that hookline made up, a part may equal a short secret by chance; masking it would hide nothing
 * and cost the producer the id. Such an id is masked only where all of it is a secret.
 */
export function maskId(mask: (text: string) => string, id: string): string {
  const masked = mask(id);
  return masked !== id && ownId.test(id) && /[^*]/.test(masked) ? id : masked;
}

/**
 * What is expected of an event type that can match nothing, or not what it says, or null when it is fine.
 *
 * `*` is a pattern only where it stands alone between dots (delivery/filter.ts): anywhere else it would be taken as it is, and
 * wait for an event that nobody sends.
 */
export function eventTypeProblem(type: string): string | null {
  if (type === "") return "an event type that is not empty";
  if (type !== type.trim()) return "an event type without spaces around it";
  if (/\p{Cc}/u.test(type)) return "an event type without control characters";
  const segments = type.split(".");
  if (segments.includes("")) return "an event type without empty segments: a dot stands between two names";
  if (segments.some((segment) => segment.includes("*") && segment !== "*")) {
    return "an event type in which * stands alone between dots, as in order.* or *.created";
  }
  return null;
}

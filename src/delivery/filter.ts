import { compileChannelPattern } from "./channel-pattern.ts";

/** A webhook's `filter` as configured; the second pair of names is Soketi's for the first. */
export interface ChannelFilter {
  readonly channel_prefix?: string | undefined;
  readonly channel_suffix?: string | undefined;
  readonly channel_pattern?: string | undefined;
  readonly channel_name_starts_with?: string | undefined;
  readonly channel_name_ends_with?: string | undefined;
}

/**
 * Whether a channel passes; all conditions that are given must hold. Null when none is given.
 *
 * @throws SyntaxError as compileChannelPattern does.
 */
export function compileFilter(filter: ChannelFilter): ((channel: string) => boolean) | null {
  const conditions: ((channel: string) => boolean)[] = [];
  for (const prefix of [filter.channel_prefix, filter.channel_name_starts_with]) {
    if (prefix !== undefined) conditions.push((channel) => channel.startsWith(prefix));
  }
  for (const suffix of [filter.channel_suffix, filter.channel_name_ends_with]) {
    if (suffix !== undefined) conditions.push((channel) => channel.endsWith(suffix));
  }
  if (filter.channel_pattern !== undefined) {
    conditions.push(compileChannelPattern(filter.channel_pattern));
  }
  if (conditions.length === 0) return null;
  return (channel) => conditions.every((condition) => condition(channel));
}

/**
 * Whether a type matches one of the patterns: `*` stands for one segment between dots, and as the last
 * segment for one or more, so that `order.*` takes `order.created` and `order.item.added`, and `*` takes
 * all. Null when no type in the list has a `*`.
 */
export function compileTypePatterns(types: readonly string[]): ((type: string) => boolean) | null {
  const patterns = types.filter(isTypePattern).map((type) => type.split("."));
  if (patterns.length === 0) return null;
  return (type) => {
    const segments = type.split(".");
    return patterns.some((pattern) => matchesSegments(pattern, segments));
  };
}

/** Whether a configured event type is a pattern: one of its segments is `*`. */
export function isTypePattern(type: string): boolean {
  return type.split(".").includes("*");
}

function matchesSegments(pattern: readonly string[], segments: readonly string[]): boolean {
  const isOpen = pattern.at(-1) === "*";
  if (isOpen ? segments.length < pattern.length : segments.length !== pattern.length) return false;
  return pattern.every((part, index) => part === "*" || part === segments[index]);
}

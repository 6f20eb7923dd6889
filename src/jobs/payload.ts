import { describeType, isJsonObject } from "./fields.ts";
import type { JobEvent } from "./job.ts";
import { elementSpans, memberSpan, memberText } from "./spans.ts";

/**
 * The events of a parsed payload `{time_ms, events}`, or the reason why it is none.
 *
 * An event needs a name; its channel may be missing, but is a string where it is there. Everything else in
 * it is the producer's own.
 */
export function readEvents(payload: unknown): readonly JobEvent[] | string {
  if (!isJsonObject(payload)) return `payload: expected an object, got ${describeType(payload)}`;
  if (typeof payload["time_ms"] !== "number") {
    return `payload.time_ms: expected a number, got ${describeType(payload["time_ms"])}`;
  }
  const list = payload["events"];
  if (!Array.isArray(list)) return `payload.events: expected an array, got ${describeType(list)}`;
  const events: JobEvent[] = [];
  for (const [index, item] of list.entries()) {
    const event = readEvent(item);
    if (typeof event === "string") return `payload.events[${index}]${event}`;
    events.push(event);
  }
  return events;
}

/** Name and channel of a parsed event, or what is wrong with it, as in `.name: expected …`. */
export function readEvent(item: unknown): JobEvent | string {
  if (!isJsonObject(item)) return `: expected an object, got ${describeType(item)}`;
  const name = item["name"];
  const channel = item["channel"];
  if (typeof name !== "string") return `.name: expected a string, got ${describeType(name)}`;
  if (name === "") return ".name: expected a name, got an empty string";
  if (channel === undefined || channel === null) return { name, channel: null };
  if (typeof channel !== "string") return `.channel: expected a string, got ${describeType(channel)}`;
  return { name, channel };
}

/**
 * A payload's text from its parts.
 *
 * @param timeMs The text of a number; epoch ms.
 * @param events The texts of the events.
 */
export function payloadText(timeMs: string, events: readonly string[]): string {
  return `{"time_ms":${timeMs},"events":[${events.join(",")}]}`;
}

/** The parts of a payload that readEvents accepted, as they are spelled. */
export function splitPayload(payload: string): {
  readonly timeMs: string;
  readonly events: readonly string[];
} {
  const list = memberSpan(payload, "events");
  return {
    timeMs: memberText(payload, "time_ms") ?? "0",
    events:
      list === null
        ? []
        : elementSpans(payload, list.start).map((span) => payload.slice(span.start, span.end)),
  };
}

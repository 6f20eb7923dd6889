import { serverNow } from "./fetching.ts";

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

/** A span of time in one figure: `4 m`. */
export function span(ms: number): string {
  const value = Math.max(0, ms);
  if (value > 0 && value < second) return `${Math.round(value)} ms`;
  if (value < minute) return `${Math.floor(value / second)} s`;
  if (value < hour) return `${Math.floor(value / minute)} m`;
  if (value < 2 * day) return `${Math.floor(value / hour)} h`;
  return `${Math.floor(value / day)} d`;
}

/** The time since an ISO time, by the server's clock. */
export function age(iso: string): string {
  const ms = serverNow() - Date.parse(iso);
  return span(ms < second ? 0 : ms);
}

/** A duration of an attempt: `812 ms`, `3.2 s`. */
export function duration(ms: number): string {
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < second) return `${Math.round(ms)} ms`;
  return ms < minute ? `${(ms / second).toFixed(1)} s` : span(ms);
}

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const dayAndClock = new Intl.DateTimeFormat("en-GB", {
  day: "numeric",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
});
const whole = new Intl.DateTimeFormat("en-GB", {
  dateStyle: "medium",
  timeStyle: "long",
});

/** The time of day here; with the day where it is another one. */
export function timeOfDay(time: number): string {
  const isToday = new Date(time).toDateString() === new Date().toDateString();
  return (isToday ? clock : dayAndClock).format(time);
}

/** A time with everything. */
export const exactTime = (time: number): string => whole.format(time);

const numbers = new Intl.NumberFormat("en-US");
/** `1,204`; a dash for what is not known. */
export const count = (value: number | null | undefined): string =>
  value === null || value === undefined ? "–" : numbers.format(value);

const short = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });
/** `1,204`, and from ten thousand on `12.4K`: where there is little room. */
export const shortCount = (value: number): string =>
  value < 10_000 ? numbers.format(value) : short.format(value);

/** `3 jobs`. */
export const counted = (value: number, one: string, many = `${one}s`): string =>
  `${count(value)} ${value === 1 ? one : many}`;

/** Bytes for people. */
export function bytes(value: number): string {
  if (value < 1_024) return `${value} B`;
  if (value < 1_048_576) return `${(value / 1_024).toFixed(value < 10_240 ? 1 : 0)} KB`;
  return `${(value / 1_048_576).toFixed(1)} MB`;
}

/** ISO times within a sentence become times here. */
export function withLocalTimes(text: string): string {
  return text.replaceAll(/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g, (iso) => timeOfDay(Date.parse(iso)));
}

/**
 * A text from elsewhere with its invisible characters written out: a control or one that turns the direction of writing
 * must not pass for nothing.
 */
export function visible(text: string): string {
  return text.replaceAll(
    // oxlint-disable-next-line eslint/no-control-regex -- these are what it looks for.
    /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

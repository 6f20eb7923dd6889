import { useEffect } from "preact/hooks";

/** A request that was answered with an error, or not at all: then `status` is 0. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, detail: string) {
    super(detail);
    this.status = status;
    this.code = code;
  }
}

/** What is known of a path's answer. */
export interface Reading<T> {
  /** The last good answer; null before the first. */
  readonly data: T | null;
  /** Why the last try gave none; null when it did. */
  readonly error: ApiError | null;
  /** Epoch ms of that answer, by this machine's clock; 0 before the first. */
  readonly at: number;
}

const unread: Reading<never> = { data: null, error: null, at: 0 };

interface Watched {
  /** How many parts of the page want it. */
  readers: number;
  /** Asked for at every so many rounds. */
  every: number;
  text: string;
  reading: Reading<unknown>;
}

/** How the page and the server are with each other. */
export interface Connection {
  /** Epoch ms of the last answer by this machine's clock; 0 before the first. */
  readonly answeredAt: number;
  /** Set while the server does not answer. */
  readonly lostSince: number | null;
  /** Whether the server lets this page in; unknown until it has said so. */
  readonly access: "unknown" | "given" | "refused";
  /** Why it does not; "" where it does. */
  readonly refusal: string;
}

const roundMs = 2_000;
const quietRoundMs = 5_000;
/** Rounds without a change after which the slower pace is taken. */
const fewQuietRounds = 5;
const mostBackoffMs = 15_000;
const timeoutMs = 10_000;
/** Answers kept of screens that are not shown: what was seen last stands there, greyed, when one comes back. */
const mostKept = 40;

/** Several hooklines may stand behind one host: each path has a token of its own. */
const tokenKey = `hookline ${location.pathname}`;
let token = readToken();
let connection: Connection = { answeredAt: 0, lostSince: null, access: "unknown", refusal: "" };
let skewMs = 0;

const watched = new Map<string, Watched>();
let changed: () => void = () => undefined;
let timer: ReturnType<typeof setTimeout> | null = null;
let round = 0;
let quietRounds = 0;
let failures = 0;
let under = new AbortController();

function readToken(): string {
  try {
    return sessionStorage.getItem(tokenKey) ?? "";
  } catch {
    // A browser may keep nothing for a page: then the token lives as long as the page.
    return "";
  }
}

/** Whether a token was given. */
export const hasToken = (): boolean => token !== "";

/** Takes a token, or with "" lets go of it, and asks for everything anew. */
export function setToken(next: string): void {
  token = next;
  try {
    if (next === "") sessionStorage.removeItem(tokenKey);
    else sessionStorage.setItem(tokenKey, next);
  } catch {
    // As in readToken.
  }
  watched.forEach((one) => {
    one.text = "";
    one.reading = unread;
  });
  connection = { ...connection, access: "unknown", refusal: "" };
  changed();
  refresh();
}

/** How the page and the server are with each other now. */
export const connectionNow = (): Connection => connection;

/** Epoch ms by the server's clock, as near as its Date header says: ages are counted by it. */
export const serverNow = (): number => Date.now() + skewMs;

/**
 * One request. Relative to the page, so that a prefix of a proxy stays.
 *
 * @throws ApiError
 */
export async function request(
  method: string,
  path: string,
  body?: unknown,
  signal?: AbortSignal,
): Promise<string> {
  const headers: Record<string, string> = { accept: "application/json" };
  if (token !== "") headers["authorization"] = `Bearer ${token}`;
  if (body !== undefined) headers["content-type"] = "application/json";
  const late = AbortSignal.timeout(timeoutMs);
  let response: Response;
  let text: string;
  try {
    response = await fetch(path, {
      method,
      headers,
      cache: "no-store",
      signal: signal === undefined ? late : AbortSignal.any([signal, late]),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    text = await response.text();
  } catch {
    if (signal?.aborted === true) throw new ApiError(0, "aborted", "given up");
    const why = late.aborted ? `no answer within ${timeoutMs / 1000} s` : "the server does not answer";
    throw new ApiError(0, "no_answer", why);
  }
  const date = Date.parse(response.headers.get("date") ?? "");
  // The header has whole seconds; a difference below two is none.
  if (!Number.isNaN(date)) skewMs = Math.abs(date - Date.now()) < 2_000 ? 0 : date - Date.now();
  if (response.ok) return text;
  throw errorOf(response, text);
}

function errorOf(response: Response, text: string): ApiError {
  try {
    const problem = JSON.parse(text) as { code?: string; detail?: string; title?: string };
    return new ApiError(
      response.status,
      problem.code ?? "error",
      problem.detail ?? problem.title ?? response.statusText,
    );
  } catch {
    // A proxy's own error page.
    return new ApiError(
      response.status,
      "error",
      `the answer was ${response.status} ${response.statusText}`.trim(),
    );
  }
}

/** As request, for a change: the parsed answer; everything shown is asked for anew. */
export async function send<T>(method: string, path: string, body?: unknown): Promise<T> {
  const text = await request(method, path, body);
  refresh();
  return (text === "" ? null : JSON.parse(text)) as T;
}

/**
 * What the server answers to GET of this path, asked for again and again while it is shown.
 *
 * @param path  Null for nothing.
 * @param every 1: at every round; more: at every so many, for what hardly ever changes; 0: once, and after changes.
 */
export function useWatched<T>(path: string | null, every = 1): Reading<T> {
  useEffect(() => {
    if (path === null) return undefined;
    const known = watched.get(path);
    const one = known ?? { readers: 0, every, text: "", reading: unread };
    one.every = every;
    one.readers += 1;
    // Last in the map is used last.
    watched.delete(path);
    watched.set(path, one);
    if (connection.access === "given") void read(path, one).then(changed);
    return () => {
      one.readers -= 1;
      forgetOld();
    };
  }, [path, every]);
  const one = path === null ? undefined : watched.get(path);
  return (one?.reading ?? unread) as Reading<T>;
}

/** The last answer of a path is let go; the next who wants it asks. */
export function forget(startsWith: string): void {
  for (const [path, one] of watched)
    if (one.readers === 0 && path.startsWith(startsWith)) watched.delete(path);
}

function forgetOld(): void {
  for (const [path, one] of watched) {
    if (watched.size <= mostKept) return;
    if (one.readers === 0) watched.delete(path);
  }
}

/** Asks for everything that is shown, now. */
export function refresh(): void {
  if (document.hidden) return;
  if (timer !== null) clearTimeout(timer);
  timer = null;
  void runRound(true);
}

/** Begins; `onChange` is called whenever something that is shown may have changed. */
export function startFetching(onChange: () => void): void {
  changed = onChange;
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) return refresh();
    if (timer !== null) clearTimeout(timer);
    timer = null;
    under.abort();
    under = new AbortController();
  });
  addEventListener("online", refresh);
  refresh();
}

/** One round for the whole page, then the time of the next. */
async function runRound(all: boolean): Promise<void> {
  round += 1;
  const mine = round;
  if (connection.access !== "given") {
    const isIn = await enter();
    if (mine !== round || document.hidden || connection.access === "refused") return changed();
    if (isIn) {
      failures = 0;
      // What is shown now was not yet asked for.
      changed();
      return next(0);
    }
    failures += 1;
    changed();
    return next(backoffMs());
  }
  const due = [...watched].filter(
    ([, { readers, every }]) => readers > 0 && (all || (every > 0 && round % every === 0)),
  );
  const results = await Promise.all(due.map(([path, one]) => read(path, one)));
  // Another round has begun meanwhile, or the page was hidden.
  if (mine !== round || document.hidden) return changed();
  const isChanged = results.includes("changed");
  quietRounds = isChanged ? 0 : quietRounds + 1;
  failures = results.includes("failed") ? failures + 1 : 0;
  changed();
  if (connectionNow().access === "refused") return;
  next(failures > 0 ? backoffMs() : quietRounds > fewQuietRounds ? quietRoundMs : roundMs);
}

function next(waitMs: number): void {
  if (timer !== null) clearTimeout(timer);
  timer = setTimeout(() => {
    timer = null;
    void runRound(failures > 0 || waitMs === 0);
  }, waitMs);
}

const backoffMs = (): number => Math.min(mostBackoffMs, 1_000 * 2 ** (failures - 1));

/**
 * Whether the server lets this page in. Without a token it is asked whether one is needed, for a refused request is an
 * error in the browser's console; with one a single request tells whether it is good.
 */
async function enter(): Promise<boolean> {
  try {
    if (token === "") {
      const { refusal } = JSON.parse(await request("GET", "dashboard/access", undefined, under.signal)) as {
        refusal: string | null;
      };
      if (refusal !== null) return refuse(refusal);
    } else {
      await request("GET", "v1/token", undefined, under.signal);
    }
    connection = { answeredAt: Date.now(), lostSince: null, access: "given", refusal: "" };
    return true;
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return refuse(error.message);
    if (!(error instanceof ApiError && error.code === "aborted")) {
      connection = { ...connection, lostSince: connection.lostSince ?? Date.now() };
    }
    return false;
  }
}

function refuse(refusal: string): false {
  connection = { answeredAt: Date.now(), lostSince: null, access: "refused", refusal };
  return false;
}

type Result = "same" | "changed" | "refused" | "failed";

async function read(path: string, one: Watched): Promise<Result> {
  const usedToken = token;
  try {
    const text = await request("GET", path, undefined, under.signal);
    if (usedToken !== token) return "same";
    connection = { ...connection, answeredAt: Date.now(), lostSince: null };
    if (text === one.text && one.reading.error === null) {
      one.reading = { ...one.reading, at: Date.now() };
      return "same";
    }
    one.text = text;
    one.reading = { data: JSON.parse(text), error: null, at: Date.now() };
    return "changed";
  } catch (error) {
    const fault =
      error instanceof ApiError ? error : new ApiError(0, "unreadable", "the answer cannot be read");
    if (fault.code === "aborted" || usedToken !== token) return "same";
    one.reading = { ...one.reading, error: fault };
    if (fault.status === 401) {
      refuse(fault.message);
      return "refused";
    }
    const isLost = fault.status === 0 || fault.status === 502 || fault.status === 504;
    if (isLost) connection = { ...connection, lostSince: connection.lostSince ?? Date.now() };
    else connection = { ...connection, answeredAt: Date.now(), lostSince: null };
    return isLost || fault.status >= 500 ? "failed" : "refused";
  }
}

import { UsageError } from "../errors.ts";
import { parseArguments, parseCount } from "./arguments.ts";
import type { RunCommand } from "./command.ts";
import { parseSavedHeaders, splitSavedRequest } from "./saved-request.ts";
import { createInputReader, readSecret, secretFlags, verifyingKey } from "./secret-source.ts";
import { checkPusher, checkStandard, type Verdict } from "../receiver/verdict.ts";

/**
 * `hookline verify [FILE|-]`: 0 when every signature that a key was given for fits, else 1 and why.
 *
 * For whoever writes a receiver: what their code should say of a delivery, and which mistake it makes.
 */
export const verify: RunCommand = async (args, io) => {
  const { values, positionals } = parseArguments(args, {
    values: [
      ...secretFlags("key"),
      "pusher-key",
      ...secretFlags("pusher-secret"),
      "headers",
      "at",
      "tolerance",
    ],
    positionals: ["FILE"],
  });
  const input = createInputReader(io);
  const keyText = await readSecret("key", values, io, input);
  const secret = await readSecret("pusher-secret", values, io, input);
  if (keyText === null && secret === null) {
    throw new UsageError("verify: give a key (--key-file FILE), or a --pusher-secret-file");
  }
  const keyTexts = keyText?.split(/\s+/) ?? [];
  const keys = keyTexts.map(verifyingKey);
  const nowMs = values.at === undefined ? Date.now() : parseTime(values.at);
  const toleranceSeconds =
    values.tolerance === undefined ? 300 : parseCount("--tolerance", values.tolerance, 0);

  const saved = values.headers === undefined ? null : await input.read(values.headers);
  const bytes = await input.read(positionals[0] ?? "-");
  const { headers, body } =
    saved === null
      ? splitSavedRequest(bytes)
      : { headers: parseSavedHeaders(saved.toString("latin1")), body: bytes };

  const verdicts: Verdict[] = [];
  if (keys.length > 0) {
    verdicts.push(checkStandard({ headers, body, keys, keyTexts, nowMs, toleranceSeconds }));
  }
  if (secret !== null) {
    verdicts.push(checkPusher({ headers, body, key: values["pusher-key"] ?? null, secret }));
  }
  for (const { ok, text } of verdicts) {
    if (ok) io.stdout.writeLine(`ok: ${text}`);
    else io.reportError(text);
  }
  return verdicts.every(({ ok }) => ok) ? 0 : 1;
};

/** Seconds since 1970, as webhook-timestamp has them, or a date and time. */
function parseTime(text: string): number {
  const ms = /^\d{1,12}$/.test(text) ? Number(text) * 1000 : Date.parse(text);
  if (!Number.isNaN(ms)) return ms;
  throw new UsageError(
    `--at: expected seconds since 1970 or a time as in 2027-01-31T00:00:00Z, got "${text}"`,
  );
}

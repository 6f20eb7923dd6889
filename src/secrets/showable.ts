/**
 * Which texts that stand in the wrong place may be repeated to the user (contract §1.8).
 *
 * A secret in the wrong place is not marked as one by anything: a password pasted into QUEUE_DRIVER, a token
 * as the name of a header. So a text is repeated only while it looks like words, numbers and addresses.
 */

const longest = 80;

/** How the common kinds of token begin (Standard Webhooks, GitHub, GitLab, Slack, Stripe), and a password behind a user. */
const tokenStart =
  /(?:^|[^A-Za-z0-9])(?:whsec|whsk|gh[a-z]|github_pat|glpat|xox[a-z]|[spr]k_(?:live|test))[_-]|^(?:Bearer|Basic|Token|ApiKey)\s|-----BEGIN/i;

/**
 * Whether a text is short and shows no sign of a secret: no user info, query or path of several segments, no
 * assignment, and no run of letters and digits that nobody would say aloud.
 */
export function isShowable(text: string): boolean {
  if (text.length > longest || tokenStart.test(text) || /[@?=]/.test(text)) return false;
  const path = text.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/]*/i, "");
  if ((path.match(/\//g) ?? []).length > 1) return false;
  return (text.match(/[\p{L}\p{N}]+/gu) ?? []).every(isWord);
}

/** `five`, `channelOccupied`, `0x10`, `65536`; not `HUNTER2`, `a7Qp99`, or a line of base64. */
function isWord(run: string): boolean {
  if (/^\p{N}+$/u.test(run)) return run.length <= 10;
  if (/\p{N}/u.test(run)) return run.length < 6;
  return run.length <= 24 && (run.match(/\p{Ll}\p{Lu}/gu) ?? []).length <= 4;
}

/** The text in quotes where it may be shown, else its length: `a string of 12 characters`. */
export function quote(text: string, noun = "string"): string {
  if (isShowable(text)) return JSON.stringify(text);
  return `a ${noun} of ${text.length} character${text.length === 1 ? "" : "s"}`;
}

/** A file's name as it may be shown: one that somebody put the contents in is not. */
export function quoteFileName(name: string): string {
  const isContent = name.length > 1000 || /[{"\p{Cc}]|:\/\//u.test(name);
  return isContent ? `a file whose name, of ${name.length} characters, is not shown` : name;
}

/**
 * As quoteFileName, where a secret itself may have been given in place of the file that holds it: only what
 * looks like a path is shown.
 */
export function quoteSecretFileName(name: string): string {
  const isPath = /^(?:~|\.{1,2})?\/|^[A-Za-z]:\\/.test(name) ? !/[+=?@]/.test(name) : false;
  const hasToken = name.split(/[/\\._-]/).some((part) => part.length > 24);
  return (isPath && !hasToken) || (/[/.]/.test(name) && isShowable(name))
    ? quoteFileName(name)
    : `a file whose name, of ${name.length} character${name.length === 1 ? "" : "s"}, is not shown`;
}

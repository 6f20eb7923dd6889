/** Read beyond the cut, so that a secret which the cut goes through is found whole. */
const lookaheadCharacters = 8192;

/**
 * At most so many characters of a text, masked.
 *
 * It is masked after the cut, because a text may be large and masking costs time for each character. Where the cut
 * goes through a secret, the text ends before that secret.
 */
export function maskedStart(mask: (text: string) => string, text: string, mostCharacters: number): string {
  // A mark may be longer than the secret it stands for.
  if (text.length <= mostCharacters) return mask(text).slice(0, mostCharacters);
  const cut = mask(text.slice(0, mostCharacters));
  const further = mask(text.slice(0, mostCharacters + lookaheadCharacters));
  // They differ from where a secret begins that only the longer text holds as a whole.
  let at = 0;
  while (at < cut.length && at < mostCharacters && cut.charCodeAt(at) === further.charCodeAt(at)) at += 1;
  // The first half of a character that two code units make is none.
  return cut.slice(0, at).replace(/[\ud800-\udbff]$/, "");
}

/** A text of somebody else's in quotes, for a message: masked, and cut. */
export function quote(mask: (text: string) => string, text: string, mostCharacters = 100): string {
  return JSON.stringify(maskedStart(mask, text, mostCharacters));
}

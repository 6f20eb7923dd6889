/** Reports each value that stood earlier in the list too; undefined ones are passed over. */
export function checkUnique(
  values: readonly (string | undefined)[],
  report: (index: number, earlier: number, value: string) => void,
): void {
  const first = new Map<string, number>();
  for (const [index, value] of values.entries()) {
    if (value === undefined) continue;
    const earlier = first.get(value);
    if (earlier === undefined) first.set(value, index);
    else report(index, earlier, value);
  }
}

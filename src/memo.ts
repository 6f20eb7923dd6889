/**
 * A function that remembers what it made of the object it was given last: for what is derived from a whole
 * configuration, which is asked for often and replaced seldom.
 */
export function createMemo<From extends object, Made>(make: (from: From) => Made): (from: From) => Made {
  let last: { readonly from: From; readonly made: Made } | null = null;
  return (from) => {
    if (last?.from !== from) last = { from, made: make(from) };
    return last.made;
  };
}

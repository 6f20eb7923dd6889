import htm from "htm";
import { type ComponentChildren, h, type VNode } from "preact";

/** What can stand in an element. */
export type Content = ComponentChildren;

const build = htm.bind(h) as (strings: TemplateStringsArray, ...values: unknown[]) => VNode;
const spaced = new WeakMap<TemplateStringsArray, TemplateStringsArray>();

/** Elements out of a template. What is put in becomes text nodes and attributes, never markup. */
export function html(strings: TemplateStringsArray, ...values: unknown[]): VNode {
  let known = spaced.get(strings);
  if (known === undefined) {
    known = strings.map(withSpaces) as unknown as TemplateStringsArray;
    spaced.set(strings, known);
  }
  return build(known, ...values);
}

/** A line break beside a text is a space, as in HTML; htm would leave it out. */
function withSpaces(text: string): string {
  return text.replaceAll(/\s*\n\s*/g, (found: string, at: number) => {
    const before = text[at - 1] ?? ">";
    const after = text[at + found.length] ?? "<";
    return before !== ">" || after !== "<" ? " " : "\n";
  });
}

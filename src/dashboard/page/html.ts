import htm from "htm";
import { type ComponentChildren, h, type VNode } from "preact";

/** Elements out of a template. What is put in becomes text nodes and attributes, never markup. */
export const html = htm.bind(h) as (strings: TemplateStringsArray, ...values: unknown[]) => VNode;

/** What can stand in an element. */
export type Content = ComponentChildren;

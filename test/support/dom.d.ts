/** What playwright-core's types name of a browser's. The whole of it (TypeScript's `lib: DOM`) would be known in `src`, too. */
interface Node {
  readonly nodeName: string;
}
interface HTMLElement extends Node {
  getAttribute(name: string): string | null;
}
type SVGElement = HTMLElement;
type HTMLElementTagNameMap = Record<string, HTMLElement>;

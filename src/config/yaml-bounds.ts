import { type CST, Parser } from 'yaml';

/** A file of more bytes is not read: reading holds up the event loop, and with it every reply. The example has 6 kB. */
export const MAX_BYTES = 65_536;

/** Collections within collections. Four are of use to us; some hundred overflow the stack of the `yaml` package. */
const MAX_NESTING = 20;

/** What makes a text too much to be read, and the offset at which it does; `undefined` where nothing does. */
export function excessOf(text: string): { readonly offset: number; readonly message: string } | undefined {
  if (Buffer.byteLength(text) > MAX_BYTES) {
    return { offset: 0, message: `the file has more than ${MAX_BYTES / 1024} KiB: is it a configuration?` };
  }
  // The parser below the composer keeps a stack of its own, and so takes any depth.
  const open: { readonly token: CST.Token; readonly depth: number }[] = [];
  for (const token of new Parser().parse(text)) open.push({ token, depth: 0 });
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { token, depth } = next;
    if (depth > MAX_NESTING) return { offset: token.offset, message: `nested more than ${MAX_NESTING} levels deep` };
    for (const child of childrenOf(token)) open.push({ token: child, depth: depth + 1 });
  }
  return undefined;
}

function childrenOf(token: CST.Token): readonly CST.Token[] {
  if (token.type === 'document') return token.value ? [token.value] : [];
  if (token.type !== 'block-map' && token.type !== 'block-seq' && token.type !== 'flow-collection') return [];
  return token.items.flatMap(({ key, value }) => [key, value].filter((child) => child != null));
}

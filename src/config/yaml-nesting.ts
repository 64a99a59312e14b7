import { type CST, Parser } from 'yaml';

/**
 * The offset of a collection that is nested deeper than `most` levels; `undefined` if there is none. The `yaml` package is
 * recursive where it makes a document of its tokens, so that some hundred levels overflow its stack. Its `Parser`, which makes
 * the tokens, has a stack of its own, and any depth is safe here.
 */
export function nestedBeyond(text: string, most: number): number | undefined {
  const open: { readonly token: CST.Token; readonly depth: number }[] = [];
  for (const token of new Parser().parse(text)) open.push({ token, depth: 0 });
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { token, depth } = next;
    if (depth > most) return token.offset;
    for (const child of childrenOf(token)) open.push({ token: child, depth: depth + 1 });
  }
  return undefined;
}

function childrenOf(token: CST.Token): readonly CST.Token[] {
  if (token.type === 'document') return token.value ? [token.value] : [];
  if (token.type !== 'block-map' && token.type !== 'block-seq' && token.type !== 'flow-collection') return [];
  return token.items.flatMap(({ key, value }) => [key, value].filter((child) => child != null));
}

/** Settings of a server that make HAProxy act sooner, the slowest first. The first are those of examples/haproxy.cfg. */
export const QUICKER: readonly { readonly words: string; readonly downS: number }[] = [
  { words: 'inter 3s fastinter 1s fall 3', downS: 5 },
  { words: 'inter 2s fastinter 500ms fall 3', downS: 3 },
  { words: 'inter 1s fastinter 500ms fall 3', downS: 2 },
];

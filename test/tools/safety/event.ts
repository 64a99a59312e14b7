import type { Span } from './spans.js';

/** What happens to a primary. */
export const KINDS = ['switchover', 'node killed', 'Patroni killed', 'Patroni frozen'] as const;

export type Kind = (typeof KINDS)[number];

/** One loss of a primary. It is over when the cluster is healthy again, and the next one begins after that. */
export interface Event {
  readonly kind: Kind;
  /** The primary that ceases to be one. */
  readonly node: string;
  readonly startMs: number;
  /** While its Patroni can answer nothing, being stopped or gone. */
  readonly silent?: Span;
}

/** How many of each, and the times of the cluster and of the services. */
export interface Plan {
  readonly switchovers: number;
  /** Every second one is of Patroni alone, and PostgreSQL goes on. */
  readonly kills: number;
  readonly freezes: number;
}

/** The kinds of a plan in turn: each spread over the whole. */
export function inTurn({ switchovers, kills, freezes }: Plan): readonly Kind[] {
  const spread = (count: number, kind: (index: number) => Kind): { at: number; kind: Kind }[] =>
    Array.from({ length: count }, (_, index) => ({ at: (index + 0.5) / count, kind: kind(index) }));
  return [
    ...spread(switchovers, () => 'switchover'),
    ...spread(kills, (index) => (index % 2 === 0 ? 'node killed' : 'Patroni killed')),
    ...spread(freezes, () => 'Patroni frozen'),
  ]
    .sort((a, b) => a.at - b.at)
    .map(({ kind }) => kind);
}

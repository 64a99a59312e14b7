/** What a place says to `/primary`: `yes` (200), `no` (any other status), or `nothing` (no status at all). */
export type Said = 'yes' | 'no' | 'nothing';

/** One question and what was said to it. Moments are in milliseconds by the shared clock. */
export interface Sample {
  readonly sentMs: number;
  /** When the status was there, or it was given up. */
  readonly endMs: number;
  readonly said: Said;
}

/** Samples in a row to which the same was said. */
export interface Stretch {
  readonly said: Said;
  readonly first: Pick<Sample, 'sentMs' | 'endMs'>;
  readonly last: Pick<Sample, 'sentMs' | 'endMs'>;
  readonly samples: number;
  /** The longest that one of them took. */
  readonly slowestMs: number;
}

/** Who is asked: a node's Patroni, or the patroniglue beside it. */
export interface Place {
  readonly node: string;
  readonly by: 'patroni' | 'patroniglue';
}

/** All that a place said, in order, one sample at a time. */
export interface Track extends Place {
  readonly stretches: readonly Stretch[];
}

/** Puts a sample behind those that were before it. */
export function append(stretches: Stretch[], { said, ...moment }: Sample): void {
  const before = stretches.at(-1);
  const slowestMs = moment.endMs - moment.sentMs;
  if (before?.said === said) {
    stretches[stretches.length - 1] = {
      ...before,
      last: moment,
      samples: before.samples + 1,
      slowestMs: Math.max(before.slowestMs, slowestMs),
    };
  } else {
    stretches.push({ said, first: moment, last: moment, samples: 1, slowestMs });
  }
}

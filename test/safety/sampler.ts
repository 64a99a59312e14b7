import { startChild } from '../support/child.js';
import type { Place, Track } from './track.js';

/** A place and where it listens on loopback. */
export interface Target extends Place {
  readonly port: number;
}

/** What the sampling process is told. */
export type SamplerOrder =
  { readonly kind: 'begin'; readonly targets: readonly Target[]; readonly everyMs: number } | { readonly kind: 'end' };

/** Asks several places for `/primary` without pause, in a process of its own. */
export interface Sampler {
  /** Asks no more; resolves with all that was said. */
  end(): Promise<readonly Track[]>;
  /** Ends the process without waiting for anything. */
  close(): Promise<void>;
}

/**
 * Begins to ask each place every `everyMs`, as HAProxy does: OPTIONS by HTTP/1.0, a fresh connection each, which is reset
 * once the status is there. A place is asked one question at a time, so that nothing piles up at one that does not answer.
 */
export async function startSampler(targets: readonly Target[], everyMs: number): Promise<Sampler> {
  const child = await startChild<SamplerOrder, readonly Track[]>(new URL('./sampler-process.js', import.meta.url));
  await child.ask({ kind: 'begin', targets, everyMs });
  return {
    async end() {
      try {
        return await child.ask({ kind: 'end' }, 30_000);
      } finally {
        await child.close();
      }
    },
    close: () => child.close(),
  };
}

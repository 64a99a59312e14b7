import { startWorker, type Worker } from '../../support/processes/child.js';
import type { Place, Track } from './track.js';

/** A place and where it listens on loopback. */
export interface Target extends Place {
  readonly port: number;
}

/** What the sampling process is told. */
export type SamplerOrder =
  { readonly kind: 'begin'; readonly targets: readonly Target[]; readonly everyMs: number } | { readonly kind: 'end' };

/**
 * Begins to ask each place every `everyMs`, in a process of its own, as HAProxy does: OPTIONS by HTTP/1.0, a fresh connection
 * each, which is reset once the status is there. A place is asked one question at a time, so that nothing piles up at one
 * that does not answer. Told to end, it asks no more, and resolves with all that was said.
 */
export function startSampler(targets: readonly Target[], everyMs: number): Promise<Worker<readonly Track[]>> {
  const script = new URL('./sampler-process.js', import.meta.url);
  return startWorker<SamplerOrder, readonly Track[]>(script, { kind: 'begin', targets, everyMs }, { kind: 'end' });
}

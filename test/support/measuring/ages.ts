import type { Sample } from '../clients/checks.js';

/** A time in which a service decided nothing: it was stopped, or its event loop was blocked. By the shared clock. */
export interface Standstill {
  readonly fromMs: number;
  readonly toMs: number;
}

/**
 * The 200s that were decided at an age of no less than `ttlMs`. No noise makes one: a reply is decided after its check
 * was sent, and after a standstill in which that was sent; and its answer's time began before the upstream was asked.
 */
export function tooOld(
  samples: readonly Sample[],
  ttlMs: number,
  standstills: readonly Standstill[] = [],
): readonly Sample[] {
  return samples.filter(({ status, sentMs, askedMs = -Infinity }) => {
    const standstill = standstills.find(({ fromMs, toMs }) => fromMs <= sentMs && sentMs < toMs);
    return status === 200 && (standstill?.toMs ?? sentMs) - askedMs >= ttlMs;
  });
}

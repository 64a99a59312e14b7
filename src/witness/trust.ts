import { type Disagreement, type PatroniSays, type ThisHost, disagreement } from './agreement.js';
import type { Facts, Trust } from './types.js';

/**
 * The trust after a comparison. A contradiction that is not certain counts when it is found again `loop_wait` later: within
 * this time each HA loop has seen a change, and Patroni has written it into the DCS.
 *
 * @param found what {@link disagreement} has found
 */
export function afterComparison(
  trust: Trust,
  found: Disagreement | undefined,
  { loopWaitMs, nowMs }: { readonly loopWaitMs: number; readonly nowMs: number },
): Trust {
  if (found === undefined) return { kind: 'agrees' };
  const { message, isCertain } = found;
  if (isCertain || trust.kind === 'contradicts') return { kind: 'contradicts', message };
  const sinceMs = trust.kind === 'doubted' ? trust.sinceMs : nowMs;
  return nowMs - sinceMs >= loopWaitMs ? { kind: 'contradicts', message } : { kind: 'doubted', sinceMs };
}

/**
 * True if facts may be used while Patroni does not answer: the latest comparison agreed, or there was none yet and the facts
 * are certainly about this node. A cluster that is another one by now is noticed here as well.
 *
 * @param identity what Patroni has ever said of its name and its cluster
 */
export function mayBeUsed(trust: Trust, facts: Facts, identity: PatroniSays, host: ThisHost): boolean {
  const found = disagreement(facts, identity, host);
  if (trust.kind === 'not-compared') return found === undefined;
  return trust.kind === 'agrees' && found?.isCertain !== true;
}

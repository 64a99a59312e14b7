import { type Disagreement, type PatroniSays, type ThisHost, disagreement } from './agreement.js';
import type { Facts, Trust } from './types.js';

/**
 * The trust after a comparison. A contradiction that is not certain counts when it is found again `loop_wait` later: within
 * this time each HA loop has seen a change, and Patroni has written it into the DCS.
 *
 * @param found what {@link disagreement} has found in these facts
 */
export function afterComparison(
  trust: Trust,
  facts: Facts,
  found: Disagreement | undefined,
  { loopWaitMs, nowMs }: { readonly loopWaitMs: number; readonly nowMs: number },
): Trust {
  if (found === undefined) return { kind: 'agrees', connUrl: facts.member?.['conn_url'] };
  const { message, isCertain } = found;
  if (isCertain || trust.kind === 'contradicts') return { kind: 'contradicts', message };
  if (trust.kind !== 'doubted')
    return { kind: 'doubted', sinceMs: nowMs, ...(trust.kind === 'agrees' && { former: trust }) };
  return nowMs - trust.sinceMs >= loopWaitMs ? { kind: 'contradicts', message } : trust;
}

/**
 * True if facts may be used while Patroni does not answer: a comparison has agreed and none has certainly failed since, or
 * there was none yet and the facts are certainly about this node. This notices as well that the cluster is another one by
 * now, or that another host has taken over the node's name.
 *
 * @param identity what Patroni has ever said of its name and its cluster
 */
export function mayBeUsed(trust: Trust, facts: Facts, identity: PatroniSays, host: ThisHost): boolean {
  const found = disagreement(facts, identity, host);
  if (trust.kind === 'not-compared') return found === undefined;
  const agreement = trust.kind === 'doubted' ? trust.former : trust;
  if (agreement?.kind !== 'agrees' || found?.isCertain === true) return false;
  return facts.member === undefined || facts.member['conn_url'] === agreement.connUrl;
}

import { lastValueFrom } from 'rxjs';
import type { Config } from '../config/types.js';
import { thisHost } from '../network/this-host.js';
import { isByPatroni } from '../patroni/recognition.js';
import { partsOf } from '../patroni/routes.js';
import { describeFailure } from '../patroni/snapshot-text.js';
import { createScheduler } from '../streams/clock.js';
import { readFacts } from '../streams/witness-read.js';
import { hostWith } from '../streams/witness-trust.js';
import { createWitnessUpstream, witnessSettingsOf } from '../streams/witness-upstream.js';
import { type PatroniSays, disagreement, saidIn } from '../witness/agreement.js';
import type { CanonicalRoute } from '../patroni/types.js';
import type { Facts } from '../witness/types.js';
import { judge } from '../witness/verdict.js';
import type { LiveAnswer, LiveWitness, NodeInEtcd } from './live-types.js';

const NAMELESS = 'Patroni has not said the name of its node: write the name of patroni.yml as witness.name';

/** Reads the witness once, and compares it with what Patroni has just answered. `undefined` without a witness. */
export async function readLiveWitness(
  config: Config,
  answers: readonly LiveAnswer[],
): Promise<LiveWitness | undefined> {
  const settings = witnessSettingsOf(config);
  if (settings === undefined) return undefined;
  const { witness } = settings;
  const said = answers
    .map(({ route, outcome }): PatroniSays =>
      outcome.kind === 'answered' && isByPatroni({ route, answer: outcome.answer }) !== false
        ? saidIn(partsOf(route).path, outcome.answer)
        : {},
    )
    .reduce((all, one) => ({ ...all, ...one }), {});
  const name = witness.name ?? said.name;
  if (name === undefined) return unusable(NAMELESS);
  const scheduler = createScheduler();
  const read$ = readFacts(createWitnessUpstream(settings, scheduler), name, scheduler);
  const read = await lastValueFrom(read$, { defaultValue: undefined });
  if (read === undefined) return undefined; // it always emits
  if (read.kind === 'failed') return unusable(`it cannot be read: ${describeFailure(read.failure)}`);
  const { facts } = read;
  const found = disagreement(facts, said, hostWith(settings, thisHost()));
  const isCompared = Object.keys(said).length > 0;
  const seen = seenIn(facts, isCompared, scheduler.now());
  if (found) return { ...unusable(found.message), ...(!isCompared && isMissing(facts) && { seen }) };
  const took = `${(read.endedAtMs - read.askedAtMs).toFixed(0)} ms`;
  const agrees = isCompared ? 'it agrees with Patroni' : 'Patroni has not answered, so it is not compared';
  return {
    text: `witness: ${agrees}: the leader key names ${facts.keys.leader?.value ?? 'no node'}, this node is ${name} (${took})`,
    isUsable: true,
    seen,
  };
}

function unusable(why: string): LiveWitness {
  return { text: `witness: not usable: ${why}`, isUsable: false };
}

/** The cluster is there, and the key of this node is not. */
function isMissing({ keys, member }: Facts): boolean {
  return keys.initialize !== undefined && member === undefined;
}

function seenIn(facts: Facts, isCompared: boolean, nowMs: number): NodeInEtcd {
  const { name, keys, member } = facts;
  const verdict = judge('/leader' as CanonicalRoute, facts, Infinity, nowMs);
  return {
    ...{ isCompared, name, hasMember: member !== undefined },
    ...(keys.leader && { leader: keys.leader.value }),
    ...(verdict && { verdict: { status: verdict.status, why: verdict.why } }),
  };
}

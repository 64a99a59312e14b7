import { lastValueFrom } from 'rxjs';
import type { Config } from '../config/types.js';
import { thisHost } from '../network/this-host.js';
import { partsOf } from '../patroni/routes.js';
import { describeFailure } from '../patroni/snapshot-text.js';
import { createScheduler } from '../streams/clock.js';
import { readFacts } from '../streams/witness-read.js';
import { hostWith } from '../streams/witness-trust.js';
import { createWitnessUpstream, witnessSettingsOf } from '../streams/witness-upstream.js';
import { type PatroniSays, disagreement, saidIn } from '../witness/agreement.js';
import type { LiveAnswer, LiveWitness } from './live-types.js';

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
      outcome.kind === 'answered' ? saidIn(partsOf(route).path, outcome.answer) : {},
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
  if (found) return unusable(found.message);
  const took = `${(read.endedAtMs - read.askedAtMs).toFixed(0)} ms`;
  const isCompared = Object.keys(said).length > 0;
  const agrees = isCompared ? 'it agrees with Patroni' : 'Patroni has not answered, so it is not compared';
  return {
    text: `witness: ${agrees}: the leader key names ${facts.keys.leader?.value ?? 'no node'}, this node is ${name} (${took})`,
    isUsable: true,
  };
}

function unusable(why: string): LiveWitness {
  return { text: `witness: not usable: ${why}`, isUsable: false };
}

import { tooOld } from '../../test/support/measuring/ages.js';
import { outcomeOf, startSteadyChecks } from '../../test/support/clients/checks.js';
import { nowMs } from '../../test/support/time/monotonic.js';
import { type Latencies, latencies } from '../support/latency.js';
import { BRISK_PACE } from '../support/processes.js';
import type { State } from './service.js';
import { CHECKED_ROUTES, STEPS, type Scene, recovered, settled } from './steps.js';

/** What the checks of a round came to, and what the service held when all was quiet again. */
export interface Round {
  readonly checks: number;
  /** How many were due. */
  readonly due: number;
  readonly good: number;
  readonly refused: number;
  /** Of those with neither 200 nor 503: the status, or why there was none. */
  readonly failures: readonly (number | string)[];
  /** 200s that were older than the time to live when they were asked for. */
  readonly tooOld: number;
  readonly latencies: Latencies;
  readonly linesDropped: number;
  readonly state: State;
}

/** Every step once, beside checks at a steady rate. Each round begins and ends its own, so that no sample outlives it. */
export async function runRound(scene: Scene, perSecond: number, onStep: (name: string) => void): Promise<Round> {
  const { service } = scene;
  const droppedBefore = service.linesDropped();
  const checks = await startSteadyChecks({ ports: [service.port], routes: CHECKED_ROUTES, perSecond });
  const begunMs = nowMs();
  let samples;
  let due;
  try {
    for (const { name, run } of STEPS) {
      onStep(name);
      await run(scene);
      await recovered(scene);
    }
    due = ((nowMs() - begunMs) * perSecond) / 1000;
    samples = await checks.end();
  } finally {
    await checks.close();
  }
  onStep('at rest');
  await settled(scene);
  const state = await service.stateAtRest();
  const outcomes = samples.map(outcomeOf);
  return {
    checks: samples.length,
    due,
    good: outcomes.filter((outcome) => outcome === 200).length,
    refused: outcomes.filter((outcome) => outcome === 503).length,
    failures: outcomes.filter((outcome) => outcome !== 200 && outcome !== 503),
    tooOld: tooOld(samples, BRISK_PACE.ttl * 1000).length,
    latencies: latencies(samples),
    linesDropped: service.linesDropped() - droppedBefore,
    state,
  };
}

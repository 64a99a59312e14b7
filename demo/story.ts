import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FrozenPart } from './patroni.js';

/** A stretch of time in which Patroni runs, is frozen as a whole, or has its API frozen. */
export interface Scene {
  readonly name: 'healthy' | 'frozen' | 'api-frozen';
  readonly forMs: number;
}

/**
 * First less than half of patroniglue's ttl: the last answer may be one interval old when the freeze begins, and the next
 * one may come an interval after it ends; so much is left unnoticed for sure. Then more than twice the ttl, yet too short
 * for this Patroni to promote the other node (12 s: ttl - loop_wait - retry_timeout). At last the API alone, for five times
 * the ttl: the leader key is renewed all the time, and no other node is ever promoted.
 */
export const scenes: readonly Scene[] = [
  { name: 'healthy', forMs: 4000 },
  { name: 'frozen', forMs: 1800 },
  { name: 'healthy', forMs: 4200 },
  { name: 'frozen', forMs: 10_000 },
  { name: 'healthy', forMs: 7000 },
  { name: 'api-frozen', forMs: 20_000 },
  { name: 'healthy', forMs: 5000 },
];

export const storyMs = scenes.reduce((sum, { forMs }) => sum + forMs, 0);

/** A scene that has begun. Times are `performance.now()`'s. */
export interface Played extends Scene {
  readonly startedAtMs: number;
}

export interface Actor {
  freeze(part: FrozenPart): void;
  thaw(): void;
}

/** Plays all scenes, one after the other; each is put into `played` as it begins. */
export async function play(actor: Actor, played: Played[]): Promise<void> {
  for (const scene of scenes) {
    const previous = played.at(-1)?.name ?? 'healthy';
    played.push({ ...scene, startedAtMs: performance.now() });
    if (scene.name !== 'healthy') actor.freeze(scene.name === 'frozen' ? 'all' : 'api');
    else if (previous !== 'healthy') actor.thaw();
    await sleep(scene.forMs);
  }
}

import { setTimeout as sleep } from 'node:timers/promises';
import { ask } from '../../test/support/clients/http-get.js';
import { nowMs } from '../../test/support/time/monotonic.js';
import { eventually } from '../../test/support/time/wait.js';
import { BRISK_PACE } from '../support/processes.js';
import { LEARNED, type SoakService } from './service.js';
import { type BehaviourName, type BenchUpstream, startBenchUpstream } from '../support/upstream.js';

/** What the steps act upon. */
export interface Scene {
  readonly service: SoakService;
  /** Another one after a restart. */
  upstream: BenchUpstream;
  /** How many `lag`s were asked for: each once in the whole run. */
  lags: number;
}

/** Something that goes wrong, and is over when its promise resolves: the upstream is healthy then, and the log read. */
export interface Step {
  readonly name: string;
  readonly run: (scene: Scene) => Promise<void>;
}

/** Longer than the time to live: with the poll before it and the deadline of the one within, there are 503s. */
const LONG_MS = 1200;

/** Shorter than that: the checks go on to be answered from what is known. */
const SHORT_MS = 700;

/** An upstream that changes its mind so often changes several times between two polls. */
const FLAP_MS = 50;

/** More than the service learns. */
const LAGS = 20;

const RELOADS = 5;

/** Twice a poll's deadline. */
const OUTLIVED_MS = BRISK_PACE.ttl * 1000;

const RECOVERED_WITHIN_MS = 15_000;
const PREFETCHED = ['/primary', '/replica', '/read-only'];

/** Asked for by the checks: the prefetched routes, an alias, and two that are learned with their first check. */
export const CHECKED_ROUTES = [...PREFETCHED, '/master', '/leader', '/health'];

/** One round. The restart comes first, because it cuts every connection, and would hide what later steps leave behind. */
export const STEPS: readonly Step[] = [
  { name: 'restart', run: restart },
  { name: 'frozen', run: frozen },
  failing('refused', SHORT_MS),
  failing('reset', SHORT_MS),
  failing('garbage', SHORT_MS),
  failing('100 MB body', SHORT_MS),
  failing('drip', LONG_MS),
  { name: 'flapping', run: flapping },
  { name: 'log reader away', run: logReaderAway },
  { name: 'learned routes', run: learnedRoutes },
  { name: 'reloads', run: reloads },
];

function failing(behaviour: BehaviourName, durationMs: number): Step {
  return {
    name: behaviour,
    run: async ({ upstream }) => {
      await upstream.behave(behaviour);
      await sleep(durationMs);
      await upstream.behave('healthy');
    },
  };
}

async function frozen({ upstream }: Scene): Promise<void> {
  upstream.freeze();
  await sleep(LONG_MS);
  upstream.thaw();
}

async function flapping({ upstream }: Scene): Promise<void> {
  for (let flappedMs = 0; flappedMs < SHORT_MS; flappedMs += 2 * FLAP_MS) {
    await upstream.behave('status 503');
    await sleep(FLAP_MS);
    await upstream.behave('healthy');
    await sleep(FLAP_MS);
  }
}

/** Killed, with what it had open, and there again at its port. */
async function restart(scene: Scene): Promise<void> {
  const { port } = scene.upstream;
  await scene.upstream.close();
  scene.upstream = await startBenchUpstream(undefined, port);
}

async function logReaderAway({ service }: Scene): Promise<void> {
  service.leaveLog();
  await sleep(LONG_MS);
  service.readLog();
}

/** Each reload starts all polls again, and nothing of the former polls may be left. */
async function reloads({ service }: Scene): Promise<void> {
  for (let reload = 0; reload < RELOADS; reload += 1) await service.reload();
}

/** A client that varies `lag` takes the remaining places for learned routes. Then patroniglue refuses its routes. */
async function learnedRoutes(scene: Scene): Promise<void> {
  await Promise.all(Array.from({ length: LAGS }, () => askForNewLag(scene)));
}

/** Whether the service had no place to learn it. */
async function askForNewLag(scene: Scene): Promise<boolean> {
  scene.lags += 1;
  const reply = await ask(scene.service.port, `/replica?lag=${scene.lags}kB`);
  return reply.kind === 'reply' && reply.body.includes('"not-learned"');
}

/**
 * Until all that is held at rest is there: every place for a learned route is taken, also where one was forgotten meanwhile,
 * and every route that is polled has been answered, and so has the timer of its expiry. And until all else is gone: that
 * polls which met a fault have left no connection behind.
 */
export async function settled(scene: Scene): Promise<void> {
  await eventually('all places for learned routes are taken', RECOVERED_WITHIN_MS, () => askForNewLag(scene), 0);
  const sinceMs = nowMs();
  await eventually('every route is answered', RECOVERED_WITHIN_MS, async () => {
    const polls = await scene.upstream.connectionsSince(sinceMs);
    const answered = polls.filter(({ askedMs, closedMs }) => askedMs >= sinceMs && closedMs !== undefined);
    return new Set(answered.map(({ route }) => route)).size === PREFETCHED.length + LEARNED;
  });
  await eventually('no connection to the upstream has outlived its poll', RECOVERED_WITHIN_MS, async () => {
    const openedBeforeMs = nowMs() - OUTLIVED_MS;
    const polls = await scene.upstream.connectionsSince(openedBeforeMs);
    return polls.every(({ askedMs, closedMs }) => closedMs !== undefined || askedMs > openedBeforeMs);
  });
}

/** Until each route is answered with what the upstream was asked for from now on. */
export async function recovered({ service }: Scene): Promise<void> {
  const sinceMs = nowMs();
  for (const route of PREFETCHED) {
    await eventually(
      `a new answer for ${route}`,
      RECOVERED_WITHIN_MS,
      async () => {
        const reply = await ask(service.port, route);
        return reply.kind === 'reply' && reply.status === 200 && askedMs(reply.body) >= sinceMs;
      },
      20,
    );
  }
}

function askedMs(body: string): number {
  return (JSON.parse(body) as { readonly askedMs: number }).askedMs;
}

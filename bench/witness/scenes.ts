import { setTimeout as sleep } from 'node:timers/promises';
import type { Said } from '../../test/tools/safety/leaders.js';
import { nowMs } from '../../test/support/time/monotonic.js';
import { eventually } from '../../test/support/time/wait.js';
import { nodeHttp } from '../peers/constant.js';
import { type Check, checkPorts } from '../support/checks.js';
import { type Session, openSession } from '../support/session.js';
import { type Stand, TIMINGS, WAYS, type Way, startStand } from './stand.js';
import { type ServerSaid, type Watch, startWatch } from './watch.js';

/** How often each way is asked, directly. */
export const EVERY_MS = 100;

/** Checks a second at the patroniglue with the witness, and at a server that answers a constant. */
export const PER_SECOND = 200;

/** A freeze and what was seen around it. */
interface Freeze {
  readonly frozenMs: number;
  readonly endedMs: number;
  readonly old: string;
  readonly next: string;
  readonly said: readonly Said[];
  readonly servers: readonly ServerSaid[];
}

/** The API of the primary's Patroni was frozen, and nothing else. */
export interface ApiFreeze extends Freeze {
  /** From here on there were checks at the fast rate, in peace until the freeze. */
  readonly calmMs: number;
  readonly thawedMs: number;
  /** At the patroniglue with the witness, and at the constant server. */
  readonly checks: { readonly ours: readonly Check[]; readonly constant: readonly Check[] };
  /** How often HAProxy marked the server DOWN. */
  readonly downs: Readonly<Record<Way, number>>;
  /** After which time in the freeze a client's session through HAProxy ended; `undefined` if it lasted. */
  readonly sessionEndedMs: Readonly<Record<Way, number | undefined>>;
}

/** The primary's Patroni was stopped as a whole, until the other node was promoted. */
export type WholeFreeze = Freeze;

/** Plays both freezes on one cluster. Leaves nothing running. */
export async function play(
  freezeMs: number,
  step: (what: string) => void,
): Promise<{ readonly api: ApiFreeze; readonly whole: WholeFreeze }> {
  const stand = await startStand();
  try {
    await stand.settled();
    const watch = startWatch(stand, EVERY_MS);
    try {
      const api = await freezeApi(stand, watch, freezeMs, step);
      await stand.settled();
      return { api, whole: await freezeAll(stand, watch, step) };
    } finally {
      await watch.stop();
    }
  } finally {
    await stand.close();
  }
}

async function freezeApi(
  stand: Stand,
  watch: Watch,
  freezeMs: number,
  step: (what: string) => void,
): Promise<ApiFreeze> {
  const { old, haproxies, port } = stand;
  const sessions = new Map<Way, Session>();
  for (const way of WAYS) sessions.set(way, await openSession(haproxies[way].primaryPort));
  const constant = await nodeHttp.start({ upstreamPort: old.restPort });
  try {
    const ports = [port(old, 'with'), constant.port];
    await checkPorts({ ports, perSecond: PER_SECOND, durationMs: 3000 }); // code is compiled
    const calmForMs = Math.min(60_000, freezeMs);
    const before = await watch.downs();
    step(`${PER_SECOND} checks a second, and nothing happens for ${calmForMs / 1000} s`);
    const calmMs = nowMs();
    const load = checkPorts({ ports, perSecond: PER_SECOND, durationMs: calmForMs + freezeMs });
    load.catch(() => undefined); // awaited below
    await sleep(calmForMs);
    step(`the API of the primary's Patroni is frozen for ${freezeMs / 1000} s, and nothing else`);
    const frozenMs = nowMs();
    old.toggleApi();
    await sleep(freezeMs);
    const after = await watch.downs();
    const endedMs = nowMs();
    const sessionEndedMs = byWay((way) => {
      const at = sessions.get(way)?.endedMs;
      return at === undefined ? undefined : at - frozenMs;
    });
    step('thaw');
    old.toggleApi();
    const [ours = [], constants = []] = await load;
    await eventually('Patroni answers again', 60_000, async () => (await old.rest('/primary')).status === 200);
    const thawedMs = nowMs();
    await sleep(10_000); // HAProxy has the server up again
    return {
      ...{ ...seenIn(stand, watch), calmMs, frozenMs, endedMs, thawedMs, sessionEndedMs },
      checks: { ours, constant: constants },
      downs: byWay((way) => after[way] - before[way]),
    };
  } finally {
    for (const session of sessions.values()) session.close();
    await constant.close();
  }
}

async function freezeAll(stand: Stand, watch: Watch, step: (what: string) => void): Promise<WholeFreeze> {
  const { old, next } = stand;
  step("the primary's Patroni is stopped as a whole");
  const frozenMs = nowMs();
  old.freeze();
  await eventually('the other node is the primary', 2 * TIMINGS.ttl * 1000, async () => {
    return (await next.rest('/primary')).status === 200;
  });
  await sleep(5000);
  return { ...seenIn(stand, watch), frozenMs, endedMs: nowMs() };
}

function seenIn({ old, next }: Stand, { said, servers }: Watch) {
  return { old: old.name, next: next.name, said: [...said], servers: [...servers] };
}

/** A value for each way. */
function byWay<T>(value: (way: Way) => T): Readonly<Record<Way, T>> {
  return { patroni: value('patroni'), without: value('without'), with: value('with') };
}

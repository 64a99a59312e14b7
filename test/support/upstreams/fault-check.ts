import assert from 'node:assert/strict';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Sample, startSteadyChecks } from '../clients/checks.js';
import { nowMs } from '../time/monotonic.js';
import { openFiles, residentMB, starvedMs } from '../measuring/proc.js';
import { INTERVAL_MS, type Scene, TIMEOUT_MS, TTL_MS } from './scenes.js';
import { routeOf } from './upstream.js';
import { eventually } from '../time/wait.js';

/** A fault of an upstream, and the replies that checks get because of it. */
export interface Fault<S extends Scene> {
  readonly name: string;
  readonly begin: (scene: S) => void | Promise<void>;
  /**
   * The status that a check gets in the end: 503 if the upstream does not answer, or the status of its answer. Absent if
   * this depends on the moment; then the fault is held for a while.
   */
  readonly becomes?: number;
  /** Statuses that the upstream answers, besides the 200 of a healthy one. */
  readonly says?: readonly number[];
  /** Routes that are not hit: they are 200 throughout. */
  readonly spares?: readonly string[];
}

/** A fault is held at least so long: a few polls that hang, and the time to live. */
const HOLD_MS = TTL_MS + 300;

const CHECKS_PER_SECOND = 50;

/**
 * Replies are bounded by a second, and more where the machine is busy with other tests: how late the checks
 * were sent, how long the upstream's event loop (this one) stood still, and how long the service had no core, tells how
 * busy. A bound in milliseconds is the bench's.
 */
const LAX_MS = 1000;
const LAX_FACTOR = 5;

/** A service has some 80 MB after its start, and V8 lets it have more where large bodies go by. */
const MEMORY_MB = 150;

const LONGEST_LINE = 300;

/** The flight recorder has the facts of a minute to tell, once a minute. */
const LONGEST_RECORDING = 2000;

/** Lets `fault` happen while checks come at a steady rate, ends it, and asserts all that must hold whatever the fault. */
export async function checkFault<S extends Scene>(scene: S, fault: Fault<S>): Promise<void> {
  const { service, routes } = scene;
  const { becomes, says = [], spares = [] } = fault;
  const hit = routes.filter((route) => !spares.includes(route));
  const logBefore = service.output().length;
  const requestsBefore = scene.seen().requests.length;
  const sinceMs = nowMs();
  const starvedBeforeMs = starvedMs(service.pid);
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  const checks = await startSteadyChecks({ ports: [service.port], routes, perSecond: CHECKS_PER_SECOND });
  try {
    const begunMs = nowMs();
    await fault.begin(scene);
    if (becomes !== undefined) {
      await eventually(`${hit.join(', ')} become ${becomes}`, 10_000, async () => {
        const replies = await Promise.all(hit.map((route) => service.get(route)));
        return replies.every(({ status }) => status === becomes);
      });
    }
    await sleep(Math.max(0, begunMs + HOLD_MS - nowMs())); // the passing of time is what is tested
    await scene.heal();
    const healedMs = nowMs();
    // How soon is a matter of virtual time (test/streams) and of bench/figures/faults.ts: a busy machine fails polls itself.
    await eventually('all routes are answered again', 20_000, () => areAnsweredSince(healedMs, scene), 20);
    const samples = await checks.end();

    const lateMs = Math.max(delay.max / 1e6, ...samples.map(({ dueMs, sentMs }) => sentMs - dueMs));
    const laxMs = LAX_MS + LAX_FACTOR * lateMs + starvedMs(service.pid) - starvedBeforeMs;
    assertTold(samples, [200, 503, ...says], laxMs);
    assertFresh(samples, says);
    assertSpared(samples, spares);
    assertPatroniSpared(scene, scene.seen().requests.slice(requestsBefore), nowMs() - sinceMs);
    assertLogged(service.output().slice(logBefore));
    await eventually(
      `${scene.filesAtRest} files are open`,
      5000,
      () => openFiles(service.pid) <= scene.filesAtRest,
      10,
    );
    assert.ok(residentMB(service.pid) < MEMORY_MB, `${residentMB(service.pid)} MB`);
  } finally {
    delay.disable();
    await checks.close();
  }
}

async function areAnsweredSince(sinceMs: number, { service, routes }: Scene): Promise<boolean> {
  const replies = await Promise.all(routes.map((route) => service.get(route)));
  return replies.every((reply) => {
    const askedMs = reply.kind === 'reply' ? /"askedMs":([\d.]+)/.exec(reply.body)?.[1] : undefined;
    return Number(askedMs ?? 0) >= sinceMs;
  });
}

/** Every check gets a reply in time, and with an allowed status. */
function assertTold(samples: readonly Sample[], allowed: readonly number[], laxMs: number): void {
  assert.ok(samples.length > 0, 'there were checks');
  for (const { route, status, failure, sentMs, endMs } of samples) {
    assert.equal(failure, undefined, `${route} is answered`);
    assert.ok(allowed.includes(status), `${route} is ${status}`);
    assert.ok(endMs - sentMs < laxMs, `${route} is answered only after ${endMs - sentMs} ms`);
  }
}

/**
 * No 200 comes from an answer whose time was over when the check was sent. And, if the upstream never answers 503 itself, no
 * 503 comes while an answer's time was not over: a poll is sent at most its deadline before the upstream gets it.
 */
function assertFresh(samples: readonly Sample[], says: readonly number[]): void {
  for (const { route, status, sentMs, endMs, askedMs } of samples) {
    if (status === 200) {
      assert.ok(askedMs !== undefined, `${route}: a 200 that the healthy upstream did not say`);
      assert.ok(sentMs - askedMs < TTL_MS, `${route}: a 200 of ${sentMs - askedMs} ms ago`);
    } else if (status === 503 && !says.includes(503)) {
      const known = samples.filter((other) => other.route === route && other.status === 200 && other.endMs <= sentMs);
      const ageMs = endMs - Math.max(...known.map((other) => other.askedMs ?? 0));
      assert.ok(ageMs >= TTL_MS - TIMEOUT_MS, `${route}: a 503 after an answer of ${ageMs} ms ago`);
    }
  }
}

function assertSpared(samples: readonly Sample[], spares: readonly string[]): void {
  const told = samples.filter(({ route }) => spares.includes(route)).map(({ status }) => status);
  assert.deepEqual(new Set(told), new Set(spares.length > 0 ? [200] : []), `${spares.join(', ')} are 200 throughout`);
}

/** One connection a route at most, and one poll an interval; besides, one a minute for Patroni's timings. */
function assertPatroniSpared(scene: Scene, requests: readonly string[], duringMs: number): void {
  const { most, mostOfRoute } = scene.seen();
  assert.ok(mostOfRoute <= 1, `${mostOfRoute} connections at once for a route`);
  assert.ok(most <= scene.routes.length + 1, `${most} connections at once`);
  for (const route of scene.routes) {
    const polls = requests.filter((head) => routeOf(head) === route).length;
    assert.ok(polls <= duringMs / INTERVAL_MS + 2, `${polls} polls of ${route} in ${duringMs} ms`);
  }
}

/**
 * Nothing is logged but transitions: the first failure of a series of polls, its end, and another reply than before. So
 * for a route, and for the upstream as a whole, each line follows from the one before, and a fault that goes on is silent.
 */
function assertLogged(output: string): void {
  const lines = output.split('\n').filter((line) => line !== '');
  const last = new Map<string, { failing?: boolean; told?: string }>();
  let frozen: boolean | undefined;
  for (const line of lines) {
    const isRecording = line.includes(' flight recorder');
    assert.ok(line.length <= (isRecording ? LONGEST_RECORDING : LONGEST_LINE), `${line.length} characters: ${line}`);
    if (isRecording) continue;
    const freeze = / Patroni (is frozen|answers again|is no longer frozen)/.exec(line)?.[1];
    if (freeze !== undefined) {
      assert.notEqual(freeze === 'is frozen', frozen, `told twice:\n${output}`);
      frozen = freeze === 'is frozen';
      continue;
    }
    if (line.includes(' backend.host: ')) continue; // a name that has other addresses than before
    const [, route = '', event = ''] = /^\S+ (?:info|warn): (\/\S+): (.*)$/.exec(line) ?? [];
    const before = last.get(route) ?? {};
    const [, from, to] = /^(\d{3}) -> (\d{3})\b/.exec(event) ?? [];
    const failing =
      event.startsWith('polls are failing: ') || (event.startsWith('polls are answered again: ') ? false : undefined);
    if (from === undefined) {
      assert.ok(failing !== undefined, `no transition: ${line}`);
      assert.notEqual(failing, before.failing, `told twice:\n${output}`);
      last.set(route, { ...before, failing });
    } else {
      assert.equal(from, before.told ?? from, `told twice:\n${output}`);
      last.set(route, { ...before, ...(to !== undefined && { told: to }) });
    }
  }
}

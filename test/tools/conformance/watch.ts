import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { ask, type Endpoint } from './ask.js';

export interface WatchOptions {
  readonly patroni: Endpoint;
  readonly patroniglue: Endpoint;
  readonly targets: readonly string[];
  /** From one question to the next, of each target. */
  readonly everyMs: number;
  /** Ends it. */
  readonly signal: AbortSignal;
}

/** How the two went together while things changed. */
export interface Watched {
  readonly target: string;
  /** The statuses that Patroni gave in turn: `['200', '503', '200']`. */
  readonly patroni: readonly string[];
  /** The same of patroniglue. */
  readonly patroniglue: readonly string[];
  /** The longest time for which patroniglue said what Patroni did not say, or did not answer though Patroni did. */
  readonly longestDifferenceMs: number;
  /** The longest time that Patroni took for an answer: as long may a poll have taken. */
  readonly slowestMs: number;
}

/** One answer; without a status there was none. */
interface Sample {
  readonly askedAtMs: number;
  readonly answeredAtMs: number;
  readonly status: string | undefined;
}

/** Asks both for the status of each target until `signal`; resolves with one finding a target. */
export async function watch(options: WatchOptions): Promise<readonly Watched[]> {
  const { patroni, patroniglue, targets } = options;
  return Promise.all(
    targets.map(async (target) => {
      const [theirs, ours] = await Promise.all([
        sample(patroni, target, options),
        sample(patroniglue, target, options),
      ]);
      return {
        target,
        patroni: inTurn(theirs),
        patroniglue: inTurn(ours),
        longestDifferenceMs: Math.round(longestDifference(theirs, ours)),
        slowestMs: Math.round(Math.max(0, ...theirs.map(({ askedAtMs, answeredAtMs }) => answeredAtMs - askedAtMs))),
      };
    }),
  );
}

async function sample(endpoint: Endpoint, target: string, { everyMs, signal }: WatchOptions): Promise<Sample[]> {
  const samples: Sample[] = [];
  while (!signal.aborted) {
    const askedAtMs = performance.now();
    const reply = await ask(endpoint, { method: 'GET', version: '1.0', target });
    const answeredAtMs = performance.now();
    samples.push({ askedAtMs, answeredAtMs, status: reply.kind === 'reply' ? String(reply.status) : undefined });
    await sleep(Math.max(askedAtMs + everyMs - answeredAtMs, 1));
  }
  return samples;
}

function inTurn(samples: readonly Sample[]): string[] {
  const statuses = samples.map(({ status }) => status ?? 'none');
  return statuses.filter((status, index) => status !== statuses[index - 1]);
}

/**
 * The longest run of patroniglue's answers that were all unlike what Patroni said around them, from the first of the
 * run to its last. Patroni's answers just before and just after each are taken, so that neither our own pauses nor a
 * change between two samples is held against either of the two: what this finds was there.
 */
function longestDifference(patroni: readonly Sample[], patroniglue: readonly Sample[]): number {
  let longest = 0;
  let since: number | undefined;
  let next = 0; // index of Patroni's first answer that was asked for after ours had come
  for (const ours of patroniglue) {
    while (next < patroni.length && (patroni[next]?.askedAtMs ?? 0) < ours.answeredAtMs) next += 1;
    let before = next - 1; // … and of its last answer that had come before ours was asked for
    while (before >= 0 && (patroni[before]?.answeredAtMs ?? 0) > ours.askedAtMs) before -= 1;
    const around = patroni.slice(Math.max(before, 0), next + 1).map(({ status }) => status);
    if (around.includes(undefined) || around.includes(ours.status)) {
      since = undefined;
    } else {
      since ??= ours.askedAtMs;
      longest = Math.max(longest, ours.answeredAtMs - since);
    }
  }
  return longest;
}

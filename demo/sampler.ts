import { performance } from 'node:perf_hooks';
import { ask } from '../test/support/clients/http-get.js';

/** One question and, once there is one, its answer. Times are `performance.now()`'s. */
export interface Sample<T> {
  readonly startedAtMs: number;
  readonly end: { readonly atMs: number; readonly value: T } | undefined;
}

/** What came of a health check. */
export type Outcome =
  | { readonly kind: 'status'; readonly status: number }
  /** Nothing, or nothing whole, by the deadline. */
  | { readonly kind: 'hung' }
  /** Refused, reset, or no HTTP. */
  | { readonly kind: 'failed' };

export type Check = Sample<Outcome>;

export interface Sampler<T> {
  /** In the order in which they were started. */
  readonly samples: readonly Sample<T>[];
  /** Starts no more; resolves when the last has ended. */
  stop(): Promise<void>;
}

/** Asks every `everyMs`, whether or not the question before has its answer. `question` must not reject. */
export function sample<T>(everyMs: number, question: () => Promise<T>): Sampler<T> {
  const samples: Sample<T>[] = [];
  const underWay = new Set<Promise<void>>();
  const askOnce = (): void => {
    const index = samples.length;
    const startedAtMs = performance.now();
    samples.push({ startedAtMs, end: undefined });
    const asked = question().then((value) => {
      samples[index] = { startedAtMs, end: { atMs: performance.now(), value } };
      underWay.delete(asked);
    });
    underWay.add(asked);
  };
  askOnce();
  const timer = setInterval(askOnce, everyMs);
  return {
    samples,
    stop: async () => {
      clearInterval(timer);
      await Promise.all(underWay);
    },
  };
}

/** A health check as a load balancer makes it: on a connection of its own, and given up at the deadline. */
export async function check(port: number, path: string, deadlineMs: number): Promise<Outcome> {
  const reply = await ask(port, path, { deadlineMs });
  if (reply.kind === 'reply') return { kind: 'status', status: reply.status };
  return { kind: reply.tookMs >= deadlineMs ? 'hung' : 'failed' };
}

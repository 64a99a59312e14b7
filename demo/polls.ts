import { performance } from 'node:perf_hooks';

/** A poll of Patroni's `/primary` that was answered. Times are `performance.now()`'s. */
export interface AnsweredPoll {
  readonly sentAtMs: number;
  readonly answeredAtMs: number;
}

/** Reads the polls out of patroniglue's log: JSON lines of level debug, the first of which may be cut off. */
export function readPolls(log: string, timeOriginMs = performance.timeOrigin): readonly AnsweredPoll[] {
  return log.split('\n').flatMap((line) => {
    if (!line.startsWith('{') || !line.endsWith('}')) return [];
    const entry = JSON.parse(line) as Readonly<Record<string, unknown>>;
    if (entry['event'] !== 'poll' || entry['route'] !== '/primary' || entry['outcome'] !== 'answered') return [];
    const answeredAtMs = Date.parse(String(entry['timestamp'])) - timeOriginMs;
    return [{ sentAtMs: answeredAtMs - Number(entry['tookMs']), answeredAtMs }];
  });
}

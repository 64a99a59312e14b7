import { startChild, startWorker, type Worker } from '../processes/child.js';

/** Checks at a steady rate, whether earlier ones are answered or not (open loop). */
interface Pace {
  /** A check is sent to each of them at the same moments. */
  readonly ports: readonly number[];
  /** Asked for in turn. */
  readonly routes: readonly string[];
  readonly perSecond: number;
  /** By HTTPS, whatever the certificate. */
  readonly tls?: boolean;
}

/** A steady rate for a while. */
export interface PacedLoad extends Pace {
  readonly kind: 'paced';
  readonly durationMs: number;
}

/** So many checks as fast as they are answered, `concurrency` at a time. */
export interface FloodLoad {
  readonly kind: 'flood';
  readonly port: number;
  readonly routes: readonly string[];
  readonly checks: number;
  readonly concurrency: number;
}

export type Load = PacedLoad | FloodLoad;

/** What the checking process is told: a load to its end, or the beginning and the end of a steady rate. */
export type ChecksOrder = Load | ({ readonly kind: 'begin' } & Pace) | { readonly kind: 'end' };

/** One check. Moments are in milliseconds by the shared clock. */
export interface Sample {
  readonly port: number;
  readonly route: string;
  /** When it should have been sent. */
  readonly dueMs: number;
  readonly sentMs: number;
  /** When the whole reply was there, or the check failed. */
  readonly endMs: number;
  /** 0 for none: see `failure`. */
  readonly status: number;
  readonly failure?: string;
  /** The reply's `Age`, in seconds. */
  readonly ageS?: number;
  /** From the body: when the upstream was asked for this answer. */
  readonly askedMs?: number;
}

const processFile = new URL('./checks-process.js', import.meta.url);

/**
 * Checks the service as HAProxy does: HTTP/1.0, a fresh connection each, which is reset once the reply is there. In a
 * process of its own, which is Node: good for some thousand checks a second, not for finding the service's limit.
 */
export async function checkWith(load: Load): Promise<readonly Sample[]> {
  const child = await startChild<ChecksOrder, readonly Sample[]>(processFile);
  try {
    return await child.ask(load, 120_000);
  } finally {
    await child.close();
  }
}

/**
 * Begins to check at a steady rate, as {@link checkWith} does, beside whatever else happens. Told to end, it sends no more,
 * and resolves with all checks once each is answered, or has failed.
 */
export function startSteadyChecks(pace: Pace): Promise<Worker<readonly Sample[]>> {
  return startWorker<ChecksOrder, readonly Sample[]>(processFile, { kind: 'begin', ...pace }, { kind: 'end' });
}

/** What a load balancer waited, from when the check was due: a stall of the service delays the checks behind it too. */
export function latencyMs({ dueMs, endMs }: Sample): number {
  return endMs - dueMs;
}

/** A status, or the reason why there is none. */
export function outcomeOf({ status, failure }: Sample): number | string {
  return failure ?? status;
}

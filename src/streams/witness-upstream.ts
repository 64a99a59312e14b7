import { type SchedulerLike, catchError, map, of } from 'rxjs';
import type { Config } from '../config/types.js';
import { limitLookups } from '../upstream/addresses.js';
import { MAX_LOOKUPS, createEtcd } from '../upstream/etcd.js';
import { createPostgresProbe } from '../upstream/postgres.js';
import { deadline } from './deadline.js';
import { connectMsOf } from './polled-upstream.js';
import type { WitnessSettings, WitnessUpstream } from './witness-read.js';

/** PostgreSQL answers within a few milliseconds. After this time, or an interval, it counts as silent. */
const POSTGRES_MS = { least: 100, most: 1000 } as const;

/** The settings of the witness; `undefined` for a configuration without one. */
export function witnessSettingsOf({ witness, backend, cache }: Config): WitnessSettings | undefined {
  return witness && { witness, timeoutMs: backend.timeoutMs, intervalMs: cache.intervalMs };
}

/** Makes the witness for these settings. */
export function createWitnessUpstream(settings: WitnessSettings, scheduler: SchedulerLike): WitnessUpstream {
  const { witness, timeoutMs, intervalMs } = settings;
  const connectMs = connectMsOf(timeoutMs, intervalMs);
  const resolve = limitLookups(MAX_LOOKUPS); // together: Patroni's own look-up must find a free thread
  const readKeys = createEtcd({ ...witness.etcd3, connectMs, deadlineMs: timeoutMs, scheduler, resolve });
  const postgresMs = Math.max(POSTGRES_MS.least, Math.min(POSTGRES_MS.most, intervalMs));
  return {
    settings,
    keys: (name) => readKeys(witness.key, name),
    postgres$: witness.postgres
      ? createPostgresProbe({ ...witness.postgres, connectMs: postgresMs, resolve }).pipe(
          map(({ state }) => state),
          deadline(postgresMs, scheduler),
          catchError(() => of('silent' as const)),
        )
      : of('not-asked'),
  };
}

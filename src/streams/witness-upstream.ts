import { type Observable, type SchedulerLike, catchError, map, of } from 'rxjs';
import type { Config, WitnessConfig } from '../config/types.js';
import { createEtcd } from '../upstream/etcd.js';
import { createPostgresProbe } from '../upstream/postgres.js';
import type { NodeKeys, PostgresState } from '../witness/types.js';
import { deadline } from './deadline.js';
import { connectMsOf } from './polled-upstream.js';

/** The part of a configuration that the witness depends on. */
export interface WitnessSettings {
  readonly witness: WitnessConfig;
  /** The longest that a read may take, in milliseconds. */
  readonly timeoutMs: number;
  /** From read to read while Patroni does not answer, in milliseconds. */
  readonly intervalMs: number;
}

/** The witness as one configuration asks it. It asks nothing until an observable is subscribed. */
export interface WitnessUpstream {
  readonly settings: WitnessSettings;
  /** Reads the keys of a node once. Errors as `createEtcd` says. */
  readonly keys: (name: string) => Observable<NodeKeys>;
  /** Asks PostgreSQL once. Never errors. */
  readonly postgres$: Observable<PostgresState>;
}

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
  const readKeys = createEtcd({ ...witness.etcd3, connectMs, scheduler });
  const postgresMs = Math.max(POSTGRES_MS.least, Math.min(POSTGRES_MS.most, intervalMs));
  return {
    settings,
    keys: (name) => readKeys(witness.key, name),
    postgres$: witness.postgres
      ? createPostgresProbe({ ...witness.postgres, connectMs: postgresMs }).pipe(
          map(({ state }) => state),
          deadline(postgresMs, scheduler),
          catchError(() => of('silent' as const)),
        )
      : of('not-asked'),
  };
}

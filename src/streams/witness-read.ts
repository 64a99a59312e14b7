import {
  EMPTY,
  type Observable,
  type SchedulerLike,
  TimeoutError,
  catchError,
  defer,
  finalize,
  forkJoin,
  map,
  of,
  tap,
} from 'rxjs';
import type { WitnessConfig } from '../config/types.js';
import { jsonObject } from '../patroni/json-body.js';
import type { PollFailure } from '../patroni/types.js';
import { classifyFailure } from '../upstream/failure.js';
import type { NodeKeys, PostgresState, WitnessRead } from '../witness/types.js';
import { deadline } from './deadline.js';

/** The witness as one configuration asks it. It asks nothing until an observable is subscribed. */
export interface WitnessUpstream {
  readonly settings: WitnessSettings;
  /** Reads the keys of a node once. Errors as `createEtcd` says. */
  readonly keys: (name: string) => Observable<NodeKeys>;
  /** Asks PostgreSQL once. Never errors. */
  readonly postgres$: Observable<PostgresState>;
}

/** The part of a configuration that the witness depends on. */
export interface WitnessSettings {
  readonly witness: WitnessConfig;
  /** The longest that a read may take, in milliseconds. */
  readonly timeoutMs: number;
  /** From read to read while Patroni does not answer, in milliseconds. */
  readonly intervalMs: number;
}

/**
 * Reads the facts about a node once when subscribed: etcd's keys and PostgreSQL, at the same time. Emits how the read ended.
 * Never errors. Gives up at the deadline of a poll; unsubscription destroys all sockets.
 */
export function readFacts(upstream: WitnessUpstream, name: string, scheduler: SchedulerLike): Observable<WitnessRead> {
  const { timeoutMs } = upstream.settings;
  return defer(() => {
    const askedAtMs = scheduler.now(); // the evidence counts from here, as with a poll of Patroni
    return forkJoin({ keys: upstream.keys(name), postgres: upstream.postgres$ }).pipe(
      deadline(timeoutMs, scheduler),
      map(({ keys, postgres }): WitnessRead => {
        const member = keys.member && jsonObject(keys.member.value);
        return {
          kind: 'read',
          facts: { name, askedAtMs, keys, member, postgres },
          askedAtMs,
          endedAtMs: scheduler.now(),
        };
      }),
      catchError((cause: unknown) => {
        const failure: PollFailure =
          cause instanceof TimeoutError
            ? { reason: 'timed-out', message: `no complete answer within ${timeoutMs / 1000} s` }
            : classifyFailure(cause);
        return of<WitnessRead>({ kind: 'failed', failure, askedAtMs, endedAtMs: scheduler.now() });
      }),
    );
  });
}

/**
 * The pause after etcd has refused access, in milliseconds. Each attempt makes etcd check a password, which costs it some
 * 50 ms of a core, and only a person can correct the password.
 */
const REFUSED_PAUSE_MS = 10_000;

/** Reads the facts about a node once when subscribed. Completes without a read if there must be none now. */
export type ReadOnce = (name: string) => Observable<WitnessRead>;

/**
 * Reads of one witness, as {@link readFacts}. While a read is under way there is no other one, so that each host of etcd
 * has one request at a time.
 */
export function createReader(upstream: WitnessUpstream, scheduler: SchedulerLike): ReadOnce {
  let isReading = false;
  let pausedUntilMs = -Infinity;
  return (name) =>
    defer(() => {
      if (isReading || scheduler.now() < pausedUntilMs) return EMPTY;
      isReading = true;
      return readFacts(upstream, name, scheduler).pipe(
        tap((read) => {
          const isRefused = read.kind === 'failed' && read.failure.reason === 'refused-access';
          if (isRefused) pausedUntilMs = read.endedAtMs + REFUSED_PAUSE_MS;
        }),
        finalize(() => {
          isReading = false;
        }),
      );
    });
}

import { EMPTY, type Observable, type SchedulerLike, Subject, lastValueFrom, takeUntil, tap, timer } from 'rxjs';
import type { Reload } from '../config/types.js';
import type { CanonicalRoute, Snapshot } from '../patroni/types.js';
import type { Cache } from '../streams/cache.js';
import { deliver } from '../systemd/deliver.js';
import { systemdWish } from '../systemd/environment.js';
import { messages } from '../systemd/messages.js';
import { type Sender, createSender } from '../systemd/send.js';
import { statusText } from '../systemd/status-text.js';

/** How long after it listens patroniglue is ready in any case. A poll of a frozen Patroni takes as long by default. */
const READY_WITHIN_MS = 2000;

/** If systemd could not be told, patroniglue tries again after this time: three times within the unit's WatchdogSec. */
const RETRY_MS = 5000;

/** What systemd is told about. */
export interface SystemdParts {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cache: Pick<Cache, 'prefetched' | 'latest'>;
  readonly scheduler: SchedulerLike;
  /** Called when systemd cannot be told, once in a row of failures. */
  readonly onFailure: (why: string) => void;
}

/** Tells systemd how the service is, if systemd has started it with `Type=notify`; otherwise does nothing. */
export interface Systemd {
  /** Tells systemd while it is subscribed. Never errors. */
  readonly sent$: Observable<unknown>;
  readonly listening: () => void;
  readonly polled: (polled: { readonly route: CanonicalRoute }) => void;
  readonly changed: () => void;
  readonly reloading: () => void;
  readonly reloaded: (reload: Reload) => void;
  /** The last message. Resolves when systemd has it, or after `withinMs`. */
  readonly stopping: (withinMs: number) => Promise<void>;
}

/** Makes it by the environment that systemd gives a service. */
export function createSystemd({ env, cache, scheduler, onFailure }: SystemdParts): Systemd {
  const [listening$, polled$, changed$] = [new Subject<void>(), new Subject<CanonicalRoute>(), new Subject<void>()];
  const [reloading$, reloaded$] = [new Subject<void>(), new Subject<void>()];
  let refused = false;
  const wish = systemdWish(env, process.pid);
  const send: Sender = wish === undefined ? () => EMPTY : createSender(wish.socket);
  const status = (): string =>
    `${statusText(known(cache), scheduler.now())}${refused ? '; the last reload was refused: see the log' : ''}`;
  let isFailing = false;
  const sent$ =
    wish === undefined
      ? EMPTY
      : deliver(
          messages({
            ...{ listening$, polled$, changed$, reloading$, reloaded$, status, scheduler },
            routes: cache.prefetched,
            withinMs: READY_WITHIN_MS,
            watchdogMs: wish.watchdogMs,
            monotonicUs: () => Number(process.hrtime.bigint() / 1000n),
          }),
          { send, isDelivered: ({ kind }) => kind === 'delivered', retryMs: RETRY_MS, scheduler },
        ).pipe(
          tap((sent) => {
            if (sent.kind === 'failed' && !isFailing) onFailure(sent.why);
            isFailing = sent.kind === 'failed';
          }),
        );
  return {
    sent$,
    listening() {
      listening$.next();
    },
    polled({ route }) {
      polled$.next(route);
    },
    changed() {
      changed$.next();
    },
    reloading() {
      reloading$.next();
    },
    reloaded({ kind }) {
      if (kind === 'unchanged') return; // the files are looked at twice a minute
      refused = kind === 'refused';
      reloaded$.next();
    },
    async stopping(withinMs) {
      const stopping$ = send({ state: 'stopping', status: 'stopping' }).pipe(takeUntil(timer(withinMs)));
      await lastValueFrom(stopping$, { defaultValue: undefined });
    },
  };
}

function known({ prefetched, latest }: Pick<Cache, 'prefetched' | 'latest'>): ReadonlyMap<CanonicalRoute, Snapshot> {
  return new Map(
    prefetched.flatMap((route) => {
      const snapshot = latest(route);
      return snapshot === undefined ? [] : [[route, snapshot] as const];
    }),
  );
}

import { BehaviorSubject, type Observable, type SchedulerLike, Subject, merge, takeUntil, tap } from 'rxjs';
import type { Logger } from 'winston';
import { createScheduler } from './clock.js';
import type { LoadedConfig } from './config-loader.js';
import type { Config } from './config.js';
import { type Counts, createCounts } from './counts.js';
import { createAccessLine } from './http/access-log.js';
import { type FrontEnd, listen } from './http/frontend.js';
import { createHandler } from './http/handler.js';
import type { Place } from './http/listeners.js';
import type { Pages } from './http/reply.js';
import { measureRoom } from './http/room.js';
import { tlsOptions } from './http/tls.js';
import { type LogLines, createLogLines } from './log-lines.js';
import { createLogOutput } from './log-output.js';
import { type LogLevel, createLogger, lineFormat } from './logger.js';
import { eventLoopLag } from './metrics/event-loop-lag.js';
import { createMetrics } from './metrics/metrics.js';
import { createPolledCache, ttlMsOf, upstreamOf } from './polled-cache.js';
import { reloads } from './reload.js';
import { createHistory } from './status/history.js';
import { createStatusPages } from './status/pages.js';
import { statusReport } from './status/report.js';
import type { Cache } from './streams/cache.js';
import { changes } from './streams/changes.js';
import { createTtlCheck } from './ttl-check.js';

/** What is left of the second after a signal: replies under way, then log lines that wait. pm2 kills after 1.6 s. */
const CLOSE_WITHIN_MS = 400;
const FLUSH_WITHIN_MS = 300;

/** Certificate files that were replaced are noticed within a minute, also where one look comes before the key is there. */
const WATCH_FILES_EVERY_MS = 30_000;

/** From outside: when to end, and when to read the configuration again. */
export interface ServiceSignals {
  readonly stop$: Observable<NodeJS.Signals>;
  readonly hangUp$: Observable<unknown>;
}

/**
 * Runs the service until `stop$` emits: config → streams → cache → front end, put together here and nowhere else.
 *
 * @throws ListenError when the front end cannot listen
 */
export async function serve(initial: LoadedConfig, level: LogLevel, { stop$, hangUp$ }: ServiceSignals): Promise<void> {
  const config$ = new BehaviorSubject(initial.config); // the one in force
  const output = createLogOutput((dropped) => {
    lines.dropped(dropped);
  });
  const log = createLogger(level, initial.config.log.format, output);
  const lines = createLogLines(log);
  try {
    lines.warnings(initial.config);
    const scheduler = createScheduler();
    const polled = createPolledCache(initial.config, scheduler, (route, outcome) => {
      lines.outcome(route, outcome);
      metrics.polled(route, outcome);
      history.polled(route, outcome);
    });
    const { cache } = polled;
    const ttlCheck = createTtlCheck(config$, polled, scheduler);
    const checks = createCounts<number>();
    const history = createHistory(wallMs);
    let connections: () => FrontEnd['connections'] = () => ({ open: 0, max: 0 });
    const metrics = createMetrics({
      cache,
      nowMs: () => scheduler.now(),
      checks,
      connections: () => connections(),
      droppedLogLines: () => output.dropped(),
      cacheTtlMs: () => config$.getValue().cache.ttlMs,
      safeTtlMs: () => ttlCheck.safeTtlMs(),
    });
    const changed$ = new Subject<void>();
    const statusPages = createStatusPages(
      () =>
        statusReport({
          cache,
          history,
          warnings: () => [
            ...config$.getValue().warnings,
            ...[ttlCheck.warning()].filter((text) => text !== undefined),
          ],
          upstream: () => upstreamOf(config$.getValue()),
          ttlMsOf: (route) => ttlMsOf(config$.getValue(), route),
          nowMs: () => scheduler.now(),
          wallMs,
        }),
      changed$,
    );
    const pages: Pages = {
      get: (path) =>
        path === '/-/metrics' ? metrics.page : config$.getValue().frontend.status ? statusPages.get(path) : undefined,
    };
    const { frontEnd, reconfigure } = await startFrontEnd(initial.config, {
      cache,
      scheduler,
      pages,
      checks,
      log,
      lines,
    });
    connections = () => frontEnd.connections;
    lines.listening(initial.config, frontEnd.addresses);
    lines.polling(initial.config, cache);
    process.send?.('ready', undefined, undefined, () => undefined); // pm2's wait_ready; pm2 itself may be gone by now

    const apply = async ({ config }: LoadedConfig): Promise<void> => {
      await reconfigure(config); // what may fail comes first
      polled.reconfigure(config);
      log.format = lineFormat(config.log.format);
      lines.warnings(config);
      config$.next(config);
    };
    const event$ = merge(
      changes(cache, scheduler).pipe(
        tap(lines.change),
        tap(metrics.changed),
        tap(history.changed),
        tap(() => {
          changed$.next();
        }),
      ),
      reloads({ initial, asked$: hangUp$, watchEveryMs: WATCH_FILES_EVERY_MS, apply, scheduler }).pipe(
        tap(lines.reload),
        tap(metrics.reloaded),
      ),
      ttlCheck.warning$.pipe(tap(lines.unsafeTtl)),
      eventLoopLag(scheduler).pipe(tap(metrics.lagged)),
    );
    await untilStopped(event$, stop$, lines);
    await frontEnd.close(CLOSE_WITHIN_MS);
    lines.stopped();
  } finally {
    await output.flush(FLUSH_WITHIN_MS);
  }
}

interface RunningFrontEnd {
  readonly frontEnd: FrontEnd;
  /** @throws ListenError when it cannot listen as another configuration says; then nothing has changed */
  readonly reconfigure: (config: Config) => Promise<void>;
}

interface FrontEndParts {
  readonly cache: Cache;
  readonly scheduler: SchedulerLike;
  readonly pages: Pages;
  readonly checks: Counts<number>;
  readonly log: Logger;
  readonly lines: LogLines;
}

async function startFrontEnd(
  config: Config,
  { cache, scheduler, pages, checks, log, lines }: FrontEndParts,
): Promise<RunningFrontEnd> {
  const clock = { nowMs: () => scheduler.now(), wallMs };
  const roomFor = measureRoom();
  const roomOf = ({ backend, cache: { learn } }: Config): ReturnType<typeof roomFor> =>
    roomFor(backend.routes.length + learn + 1); // and one for Patroni's timings
  let room = roomOf(config);
  let accessLine = createAccessLine(config.frontend.logFormat);
  const frontEnd = await listen({
    ...placeOf(config),
    handle: createHandler(cache, clock, pages, checks),
    ...(log.isVerboseEnabled() && {
      onReply: (entry) => {
        log.verbose(accessLine(entry), { event: 'request', ...entry });
      },
    }),
    onSkipped: lines.skipped,
    maxConnections: room.connections,
    onCrowding: (crowding) => {
      lines.crowding(crowding, room);
    },
  });
  return {
    frontEnd,
    async reconfigure(next) {
      const nextRoom = roomOf(next);
      const before = frontEnd.addresses.join();
      await frontEnd.change(placeOf(next), nextRoom.connections);
      if (frontEnd.addresses.join() !== before) lines.listening(next, frontEnd.addresses);
      room = nextRoom;
      accessLine = createAccessLine(next.frontend.logFormat);
    },
  };
}

// eslint-disable-next-line no-restricted-properties -- a time for people, in the body of a 503 and on the status page
const wallMs = (): number => Date.now();

function placeOf({ frontend: { host, port, tls } }: Config): Place {
  return { host, port, ...(tls && { tls: tlsOptions(tls) }) };
}

/** The one subscription: it runs the polls. Their end before `stop$` is a bug, and better a restart than silence. */
async function untilStopped(
  event$: Observable<unknown>,
  stop$: Observable<NodeJS.Signals>,
  lines: LogLines,
): Promise<void> {
  const signals: NodeJS.Signals[] = [];
  const stopping$ = stop$.pipe(
    tap((signal) => {
      signals.push(signal);
      lines.stopping(signal);
    }),
  );
  await event$.pipe(takeUntil(stopping$)).forEach(() => undefined);
  if (signals.length === 0) throw new Error('the polls ended by themselves');
}

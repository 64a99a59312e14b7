import { BehaviorSubject, type Observable, type SchedulerLike, merge, takeUntil, tap } from 'rxjs';
import type { Logger } from 'winston';
import { createScheduler } from './clock.js';
import type { LoadedConfig } from './config-loader.js';
import type { Config } from './config.js';
import { createAccessLine } from './http/access-log.js';
import { type FrontEnd, listen } from './http/frontend.js';
import { createHandler } from './http/handler.js';
import type { Place } from './http/listeners.js';
import { measureRoom } from './http/room.js';
import { tlsOptions } from './http/tls.js';
import { type LogLines, createLogLines } from './log-lines.js';
import { createLogOutput } from './log-output.js';
import { type LogLevel, createLogger, lineFormat } from './logger.js';
import { type PolledCache, createPolledCache } from './polled-cache.js';
import { reloads } from './reload.js';
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
  const { config } = initial;
  const config$ = new BehaviorSubject(config); // the one in force
  const output = createLogOutput((lines) => {
    log.warn(`${lines} log lines were dropped: nobody read them`, { event: 'lines-dropped', lines });
  });
  const log = createLogger(level, config.log.format, output);
  const lines = createLogLines(log);
  try {
    lines.warnings(config);
    const scheduler = createScheduler();
    const polled = createPolledCache(config, scheduler, lines.outcome);
    const { frontEnd, reconfigure } = await startFrontEnd(config, polled, scheduler, log, lines);
    lines.listening(config, frontEnd.addresses);
    lines.polling(config, polled.cache);
    process.send?.('ready', undefined, undefined, () => undefined); // pm2's wait_ready; pm2 itself may be gone by now

    const change$ = changes(polled.cache, scheduler).pipe(tap(lines.change));
    const reload$ = reloads({
      initial,
      asked$: hangUp$,
      watchEveryMs: WATCH_FILES_EVERY_MS,
      apply: async ({ config: next }) => {
        await reconfigure(next); // what may fail comes first
        polled.reconfigure(next);
        log.format = lineFormat(next.log.format);
        lines.warnings(next);
        config$.next(next);
      },
      scheduler,
    }).pipe(tap(lines.reload));
    const ttlCheck = createTtlCheck(config$, polled, scheduler);
    const ttlWarning$ = ttlCheck.warning$.pipe(tap(lines.unsafeTtl));
    await untilStopped(merge(change$, reload$, ttlWarning$), stop$, lines);
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

async function startFrontEnd(
  config: Config,
  { cache }: PolledCache,
  scheduler: SchedulerLike,
  log: Logger,
  lines: LogLines,
): Promise<RunningFrontEnd> {
  // eslint-disable-next-line no-restricted-properties -- a time for people, in the body of a 503
  const clock = { nowMs: () => scheduler.now(), wallMs: () => Date.now() };
  const roomFor = measureRoom();
  const roomOf = ({ backend, cache: { learn } }: Config): ReturnType<typeof roomFor> =>
    roomFor(backend.routes.length + learn);
  let room = roomOf(config);
  let accessLine = createAccessLine(config.frontend.logFormat);
  const frontEnd = await listen({
    ...placeOf(config),
    handle: createHandler(cache, clock),
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

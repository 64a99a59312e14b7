import { type Observable, type SchedulerLike, takeUntil, tap } from 'rxjs';
import type { Logger } from 'winston';
import { createScheduler } from './clock.js';
import type { Config } from './config.js';
import { describeFailure } from './describe.js';
import { createAccessLine } from './http/access-log.js';
import type { Crowding } from './http/connections.js';
import { type FrontEnd, listen } from './http/frontend.js';
import { createHandler } from './http/handler.js';
import { type Room, roomForConnections } from './http/room.js';
import { tlsOptions } from './http/tls.js';
import { createLogOutput } from './log-output.js';
import { type LogLevel, createLogger } from './logger.js';
import { type CanonicalRoute, canonicalRoute, isSlow } from './routes.js';
import type { PollOutcome } from './snapshot.js';
import { type Cache, createCache } from './streams/cache.js';
import { type Change, changes, describeChange } from './streams/changes.js';
import { expire } from './streams/expiry.js';
import { classifyFailure } from './streams/failure.js';
import { createPhases } from './streams/phases.js';
import { poll } from './streams/poll.js';
import { createRequest } from './streams/request.js';
import { version } from './version.js';

/** What is left of the second after a signal: replies under way, then log lines that wait. pm2 kills after 1.6 s. */
const CLOSE_WITHIN_MS = 400;
const FLUSH_WITHIN_MS = 300;

/** Connecting is given up a little before the next tick, so that the tick finds no poll in flight and asks anew. */
const CONNECT_SHARE = 0.9;

/** No less than this for connecting, however short the interval. */
const LEAST_CONNECT_MS = 100;

/** A learned route that nobody asked for in this time is forgotten: a Nagios check comes every five minutes. */
const FORGET_AFTER_MS = 15 * 60_000;

/**
 * Runs the service until `stop$` emits: config → streams → cache → front end, put together here and nowhere else.
 *
 * @throws ListenError when the front end cannot listen
 */
export async function serve(config: Config, level: LogLevel, stop$: Observable<NodeJS.Signals>): Promise<void> {
  const output = createLogOutput((lines) => {
    log.warn(`${lines} log lines were dropped: nobody read them`, { event: 'lines-dropped', lines });
  });
  const log = createLogger(level, config.log.format, output);
  try {
    for (const warning of config.warnings) log.warn(warning, { event: 'configuration' });
    const scheduler = createScheduler();
    const cache = createPolledCache(config, scheduler, log);
    const frontEnd = await listenFor(config, cache, scheduler, log);
    announce(config, cache, frontEnd, log);
    await untilStopped(changes(cache, scheduler), stop$, log);
    await frontEnd.close(CLOSE_WITHIN_MS);
    log.info('stopped', { event: 'stopped' });
  } finally {
    await output.flush(FLUSH_WITHIN_MS);
  }
}

function createPolledCache({ backend, cache }: Config, scheduler: SchedulerLike, log: Logger): Cache {
  const routes = backend.routes.map(canonicalRoute).filter((route) => route !== undefined);
  const request = createRequest({
    ...backend,
    connectMs: Math.min(backend.timeoutMs, Math.max(cache.intervalMs * CONNECT_SHARE, LEAST_CONNECT_MS)),
  });
  const phaseOf = createPhases();
  const snapshots = (route: CanonicalRoute): ReturnType<typeof expire> => {
    const slow = isSlow(route);
    const intervalMs = slow ? cache.slowIntervalMs : cache.intervalMs;
    const outcome$ = poll(request(route), {
      intervalMs,
      phaseMs: phaseOf(intervalMs),
      deadlineMs: backend.timeoutMs,
      scheduler,
      classify: classifyFailure,
    });
    const logged$ = outcome$.pipe(
      tap((outcome) => {
        logOutcome(log, route, outcome);
      }),
    );
    return expire(logged$, { ttlMs: slow ? cache.slowTtlMs : cache.ttlMs, scheduler });
  };
  return createCache(routes, { snapshots, maxLearned: cache.learn, forgetAfterMs: FORGET_AFTER_MS, scheduler });
}

function listenFor({ frontend }: Config, cache: Cache, scheduler: SchedulerLike, log: Logger): Promise<FrontEnd> {
  const accessLine = createAccessLine(frontend.logFormat);
  // eslint-disable-next-line no-restricted-properties -- a time for people, in the body of a 503
  const clock = { nowMs: () => scheduler.now(), wallMs: () => Date.now() };
  const room = roomForConnections(cache.prefetched.length + cache.maxLearned);
  return listen({
    host: frontend.host,
    port: frontend.port,
    ...(frontend.tls && { tls: tlsOptions(frontend.tls) }),
    handle: createHandler(cache, clock),
    ...(log.isVerboseEnabled() && {
      onReply: (entry) => {
        log.verbose(accessLine(entry), { event: 'request', ...entry });
      },
    }),
    onSkipped: (warning) => {
      log.warn(warning, { event: 'listening' });
    },
    maxConnections: room.connections,
    onCrowding: (crowding) => {
      logCrowding(log, crowding, room);
    },
  });
}

function logCrowding(log: Logger, crowding: Crowding, { connections, openFilesLimit }: Room): void {
  if (crowding.kind === 'relieved') {
    log.info(`no longer too many connections: ${crowding.ended} were ended`, {
      event: 'relieved',
      ended: crowding.ended,
    });
    return;
  }
  const room =
    openFilesLimit === undefined
      ? `${connections} are the most at a time`
      : `a limit of ${openFilesLimit} open files (LimitNOFILE, ulimit -n) has room for ${connections} at a time`;
  log.warn(`too many connections: ${room}, so each new one ends the oldest`, { event: 'crowded', connections });
}

function announce(
  { frontend, backend, cache: { ttlMs, intervalMs } }: Config,
  cache: Cache,
  frontEnd: FrontEnd,
  log: Logger,
): void {
  const scheme = frontend.tls ? 'https' : 'http';
  const addresses = frontEnd.addresses.map((address) => `${scheme}://${address}`);
  log.info(`patroniglue ${version} is listening on ${addresses.join(', ')}`, { event: 'listening', addresses });
  const upstream = `${backend.scheme}://${backend.host}:${backend.port}`;
  const pace = `every ${intervalMs / 1000} s, answers fresh for ${ttlMs / 1000} s`;
  const learning = cache.maxLearned === 0 ? '' : `; up to ${cache.maxLearned} other routes when somebody asks for them`;
  log.info(`polling ${upstream} for ${cache.prefetched.join(', ')} ${pace}${learning}`, {
    event: 'polling',
    upstream,
    routes: cache.prefetched,
  });
  process.send?.('ready', undefined, undefined, () => undefined); // pm2's wait_ready; pm2 itself may be gone by now
}

/** The one subscription: it runs the polls. Their end before `stop$` is a bug, and better a restart than silence. */
async function untilStopped(
  change$: Observable<Change>,
  stop$: Observable<NodeJS.Signals>,
  log: Logger,
): Promise<void> {
  const signals: NodeJS.Signals[] = [];
  const stopping$ = stop$.pipe(
    tap((signal) => {
      signals.push(signal);
      log.info(`${signal}: stopping`, { event: 'stopping', signal });
    }),
  );
  await change$.pipe(takeUntil(stopping$)).forEach((change) => {
    logChange(log, change);
  });
  if (signals.length === 0) throw new Error('the polls ended by themselves');
}

function logChange(log: Logger, change: Change): void {
  const isWorse =
    ['polls-failing', 'route-refused'].includes(change.kind) ||
    (change.kind === 'reply-changed' && change.to.kind === 'stale');
  log.log(isWorse ? 'warn' : 'info', describeChange(change), { event: change.kind, route: change.route });
}

function logOutcome(log: Logger, route: CanonicalRoute, outcome: PollOutcome): void {
  const tookMs = outcome.endedAtMs - outcome.sentAtMs;
  const end = outcome.kind === 'answered' ? String(outcome.answer.status) : describeFailure(outcome.failure);
  log.debug(`poll ${route}: ${end} in ${tookMs.toFixed(1)} ms`, {
    event: 'poll',
    route,
    outcome: outcome.kind,
    tookMs,
  });
}

import { BehaviorSubject, type Observable, Subject, defer, ignoreElements, merge, takeUntil, tap } from 'rxjs';
import { createAgentHandler } from '../agent-check/handler.js';
import { createCertificateWatch } from '../streams/certificate-watch.js';
import { createClientConnections } from './connection-limit.js';
import { createScheduler } from '../streams/clock.js';
import type { LoadedConfig } from '../config/load.js';
import { startAgent } from './agent-checks.js';
import { startFrontEnd } from './front-end.js';
import { createPlaces } from './listen-places.js';
import { createCounts } from '../metrics/route-counters.js';
import { breakages, createTally } from '../http/broken-connection.js';
import { createHandler } from '../http/handler.js';
import { type LogLines, createLogLines } from './log-lines.js';
import { createLogOutput } from '../log/output.js';
import { createLog } from '../log/logger.js';
import { eventLoopLag } from '../metrics/event-loop-lag.js';
import { createMemberWatch } from '../streams/member-watch.js';
import { createOwnPages } from './pages.js';
import { createPolledCache } from '../streams/polling.js';
import { reloads } from '../config/reload.js';
import { changes } from '../streams/changes.js';
import { createHeartbeat, wasMostlyStill } from '../streams/heartbeat.js';
import { createTtlCheck } from '../streams/ttl-check.js';
import type { LogLevel } from '../log/levels.js';
import type { AgentState } from '../agent-check/types.js';

/** What is left of the second after a signal: replies under way, then log lines that wait. pm2 kills after 1.6 s. */
const CLOSE_WITHIN_MS = 400;
const FLUSH_WITHIN_MS = 300;

/** Nobody waits for the end of a crash, and somebody will look for the last lines before it. */
const FLUSH_CRASH_WITHIN_MS = 1000;

/** Certificate files that were replaced are noticed within a minute, also where one look comes before the key is there. */
const WATCH_FILES_EVERY_MS = 30_000;

/** From outside: when to end, and when to read the configuration again. */
export interface ServiceSignals {
  readonly stop$: Observable<NodeJS.Signals>;
  readonly hangUp$: Observable<unknown>;
  /** Signals that are told, and nothing more. */
  readonly ignored$: Observable<NodeJS.Signals>;
  /** Errors where an exception was not caught: then the service ends by it. */
  readonly uncaught$: Observable<never>;
}

/**
 * Runs the service until `stop$` emits: config → streams → cache → front end and agent, put together here and nowhere else.
 *
 * @throws ListenError when the front end or the agent cannot listen
 */
export async function serve(initial: LoadedConfig, level: LogLevel, signals: ServiceSignals): Promise<void> {
  const config$ = new BehaviorSubject(initial.config); // the one in force
  const output = createLogOutput((dropped) => {
    lines.dropped(dropped);
  });
  const log = createLog(level, initial.config.log.format, output);
  const lines = createLogLines(log);
  try {
    lines.warnings(initial.config);
    const scheduler = createScheduler();
    const refresh$ = new Subject<void>();
    const heartbeat = createHeartbeat(scheduler);
    const nowMs = (): number => scheduler.now();
    const polled = createPolledCache(initial.config, {
      scheduler,
      onOutcome(route, outcome) {
        lines.outcome(route, outcome);
        pages.polled(route, outcome);
      },
      timingsOf: (version) => ttlCheck.timingsOf(version),
      onCertificate(validity) {
        certificates.shown(validity);
      },
      wallMs,
      refresh$,
      heartbeat,
      random: Math.random,
      onAddressWarning: lines.addresses,
    });
    const { cache } = polled;
    const ttlCheck = createTtlCheck(config$, polled, scheduler);
    const members = createMemberWatch(config$, polled.answered$, scheduler);
    const certificates = createCertificateWatch(config$, scheduler, wallMs);
    const checks = createCounts<number>();
    const agentChecks = createCounts<AgentState>();
    const broken = createTally(breakages);
    const clients = createClientConnections(initial.config, lines);
    const { connections } = clients;
    const pages = createOwnPages({
      upstreamWarnings: () => [polled.addressWarning(), members.warning()].filter((text) => text !== undefined),
      cache,
      frozenSinceMs: () => polled.frozenSinceMs(),
      config$,
      ttlCheck,
      certificates,
      checks,
      agentChecks,
      broken,
      connections,
      droppedLogLines: () => output.dropped(),
      refresh() {
        refresh$.next();
      },
      nowMs,
      wallMs,
    });
    const handle = createHandler(cache, { nowMs, wallMs }, pages, checks.count);
    const handleAgent = createAgentHandler(
      {
        ask: (route) => cache.ask(route),
        nowMs,
        patienceMs: () => config$.getValue().backend.timeoutMs,
        stoodStillMs: heartbeat.stoodStillMs,
        wasMostlyStill: (fromMs, toMs) => wasMostlyStill(heartbeat, fromMs, toMs),
      },
      agentChecks.count,
    );
    const places = createPlaces([
      () => startFrontEnd(initial.config, { handle, connections, broken, log, lines }),
      () => startAgent(initial.config, { handle: handleAgent, connections, log, lines }),
    ]);
    const listen = async (): Promise<void> => {
      await places.open();
      process.send?.('ready', undefined, undefined, () => undefined); // pm2's wait_ready; pm2 itself may be gone by now
    };

    const apply = async ({ config }: LoadedConfig): Promise<void> => {
      await places.reconfigure(config); // what may fail comes first
      clients.reconfigure(config);
      polled.reconfigure(config);
      log.use(config.log.format);
      lines.warnings(config);
      config$.next(config);
    };
    const event$ = merge(
      // the polls first: the look-up of a place to listen at may take long
      changes(cache, scheduler).pipe(tap(lines.change), tap(pages.changed)),
      defer(listen).pipe(ignoreElements()),
      reloads({ initial, asked$: signals.hangUp$, watchEveryMs: WATCH_FILES_EVERY_MS, apply, scheduler }).pipe(
        tap(lines.reload),
        tap(pages.reloaded),
      ),
      polled.freeze$.pipe(tap(lines.freeze)),
      ttlCheck.warning$.pipe(tap(lines.unsafeTtl)),
      members.warning$.pipe(tap(lines.members)),
      certificates.warning$.pipe(tap(lines.certificateEnds)),
      eventLoopLag(scheduler).pipe(tap(pages.lagged)),
      signals.ignored$.pipe(tap(lines.ignored)),
      signals.uncaught$,
    );
    lines.polling(initial.config, cache);
    await untilStopped(event$, signals.stop$, lines);
    await places.close(CLOSE_WITHIN_MS);
    lines.stopped();
  } catch (error) {
    await output.flush(FLUSH_CRASH_WITHIN_MS);
    throw error;
  }
  await output.flush(FLUSH_WITHIN_MS);
}

// eslint-disable-next-line no-restricted-properties -- a time for people, in the body of a 503 and on the status page
const wallMs = (): number => Date.now();

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

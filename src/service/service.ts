import { BehaviorSubject, type Observable, Subject, defer, ignoreElements, merge, skip, takeUntil, tap } from 'rxjs';
import { createAgentHandler } from '../agent-check/handler.js';
import type { AgentState } from '../agent-check/types.js';
import type { LoadedConfig } from '../config/types.js';
import { reloads } from '../config/reload.js';
import { breakages, createTally } from '../http/broken-connection.js';
import { createHostLook } from '../flight-recorder/host.js';
import { createFlightRecorder } from '../flight-recorder/recorder.js';
import { createHandler } from '../http/handler.js';
import { createLastChecks } from '../http/last-checks.js';
import type { LogLevel } from '../log/levels.js';
import { type Log, createLog } from '../log/logger.js';
import { createLogOutput } from '../log/output.js';
import { eventLoopLag } from '../metrics/event-loop-lag.js';
import { createRouteCounters } from '../metrics/route-counters.js';
import { thisHost } from '../network/this-host.js';
import type { CanonicalRoute } from '../patroni/types.js';
import { countOpenFiles } from '../sockets/open-files.js';
import { createCertificateWatch } from '../streams/certificate-watch.js';
import { changes } from '../streams/changes.js';
import { createScheduler } from '../streams/clock.js';
import { createHeartbeat, wasMostlyStill } from '../streams/heartbeat.js';
import { createKnownTimings } from '../streams/known-timings.js';
import { createMemberWatch } from '../streams/member-watch.js';
import { type PolledAnswer, createPolling } from '../streams/polling.js';
import { createRecognitionWatch } from '../streams/recognition-watch.js';
import { createTtlCheck } from '../streams/ttl-check.js';
import { createWitness } from '../streams/witness.js';
import { createAccess } from './access.js';
import { startAgentChecks } from './agent-checks.js';
import { createConnectionLimit } from './connection-limit.js';
import { startFrontEnd } from './front-end.js';
import { createListenAddresses } from './listen-addresses.js';
import { type LogLines, createLogLines } from './log-lines.js';
import { createPages } from './pages.js';
import { createSystemd } from './systemd.js';

/** After a signal: time for replies under way, then for log lines that wait. Together under a second; pm2 kills after 1.6 s. */
const CLOSE_WITHIN_MS = 400;
const FLUSH_WITHIN_MS = 300;

/** After a crash there is more time, and the last log lines before it matter. */
const FLUSH_CRASH_WITHIN_MS = 1000;

/** Replaced certificate files are noticed within a minute, even if one look comes before the new key is there. */
const WATCH_FILES_EVERY_MS = 30_000;

/** The signals of the process: when to stop, and when to read the configuration again. */
export interface ServiceSignals {
  readonly stop$: Observable<NodeJS.Signals>;
  readonly hangUp$: Observable<unknown>;
  /** Signals that are logged and have no other effect. */
  readonly ignored$: Observable<NodeJS.Signals>;
  /** Errors with an uncaught exception. The service ends with this error. */
  readonly uncaught$: Observable<never>;
}

/**
 * Runs the service until `stop$` emits.
 *
 * @throws ListenError when the front end or the agent checks cannot listen
 */
export async function serve(initial: LoadedConfig, level: LogLevel, signals: ServiceSignals): Promise<void> {
  const output = createLogOutput();
  const log = createLog(level, initial.config.log.format, output);
  const lines = createLogLines(log);
  output.onDropped(lines.dropped);
  try {
    await run(initial, signals, { log, lines, droppedLogLines: () => output.dropped() });
  } catch (error) {
    await output.flush(FLUSH_CRASH_WITHIN_MS);
    throw error;
  }
  await output.flush(FLUSH_WITHIN_MS);
}

interface Logging {
  readonly log: Log;
  readonly lines: LogLines;
  readonly droppedLogLines: () => number;
}

/** Puts the service together, here and nowhere else, in the order of the data: Patroni, cache, replies, listeners. */
async function run(
  initial: LoadedConfig,
  signals: ServiceSignals,
  { log, lines, droppedLogLines }: Logging,
): Promise<void> {
  const config$ = new BehaviorSubject(initial.config); // the configuration in force
  const scheduler = createScheduler();
  const nowMs = (): number => scheduler.now();
  const heartbeat = createHeartbeat(scheduler);
  const refresh$ = new Subject<void>();

  // Patroni is polled, and the cache keeps its answers
  const timings = createKnownTimings();
  const { timingsOf } = timings;
  const answered$ = new Subject<PolledAnswer>();
  const witness = createWitness(config$, { answered$, scheduler, thisHost });
  const { facts$ } = witness;
  const parts = { scheduler, timingsOf, wallMs, refresh$, heartbeat, random: Math.random, facts$ };
  const polling = createPolling(initial.config, parts);
  const { cache } = polling;
  const ttlCheck = createTtlCheck(config$, timings, polling, scheduler);
  const members = createMemberWatch(config$, polling.answered$, scheduler);
  const recognition = createRecognitionWatch(config$, polling.answered$, scheduler);
  const certificates = createCertificateWatch(config$, polling.certificate$, scheduler, wallMs);

  const recorder = createFlightRecorder({
    ...{ outcome$: polling.outcome$, witness, scheduler, wallMs },
    isPrefetched: (route) => cache.prefetched.includes(route),
    look$: createHostLook(() => config$.getValue().backend, thisHost, nowMs),
  });

  // Replies are made from the cache
  const [checks, witnessedChecks, agentChecks, broken] = [
    createRouteCounters<number>(),
    createRouteCounters<number>(),
    createRouteCounters<AgentState>(),
    createTally(breakages),
  ];
  const lastChecks = createLastChecks(nowMs);
  const limit = createConnectionLimit(initial.config, lines);
  const { connections } = limit;
  const access = createAccess(() => config$.getValue(), broken, lines);
  const pages = createPages({
    ...{ cache, config$, timings, ttlCheck, certificates, checks, agentChecks, broken, connections, nowMs, wallMs },
    ...{ witness, witnessedChecks, lastChecks },
    upstreamWarnings: () =>
      [polling.addressWarning(), members.warning(), recognition.warning()].filter((text) => text !== undefined),
    frozenSinceMs: polling.frozenSinceMs,
    recording: recorder.latest,
    droppedLogLines,
    openFiles: countOpenFiles,
    refresh() {
      refresh$.next();
    },
  });
  const handle = createHandler(cache, { nowMs, wallMs }, pages, (route, status, byWitness, request) => {
    checks.count(route, status);
    lastChecks.note(route, request);
    if (byWitness) witnessedChecks.count(route, status);
  });
  const agentSources = {
    ask: (route: CanonicalRoute) => cache.ask(route),
    nowMs,
    pollTimeoutMs: () => config$.getValue().backend.timeoutMs,
    stoodStillMs: heartbeat.stoodStillMs,
    wasMostlyStill: (fromMs: number, toMs: number) => wasMostlyStill(heartbeat, fromMs, toMs),
  };
  const handleAgent = createAgentHandler(agentSources, agentChecks.count);
  const systemd = createSystemd({ env: process.env, cache, scheduler, onFailure: lines.systemd });

  // Clients connect here
  const listenAddresses = createListenAddresses([
    () => startFrontEnd(initial.config, { handle, connections, access, broken, log, lines }),
    () => startAgentChecks(initial.config, { handle: handleAgent, connections, access, log, lines }),
  ]);

  // A new configuration: listening may fail, so it comes first. Everything else follows config$, and must not throw
  const apply = async ({ config }: LoadedConfig): Promise<void> => {
    await listenAddresses.reconfigure(config);
    config$.next(config);
  };
  const asked$ = signals.hangUp$.pipe(tap(systemd.reloading));
  const reconfigured$ = config$.pipe(
    skip(1),
    tap(limit.reconfigure),
    tap(access.recheck),
    tap(polling.reconfigure),
    tap((config) => {
      log.use(config.log.format);
    }),
    tap(lines.warnings),
  );

  // What happens, and which log lines and pages follow
  const event$ = merge(
    systemd.sent$,
    reconfigured$,
    polling.outcome$.pipe(tap(lines.outcome), tap(pages.polled), tap(systemd.polled)),
    recorder.recording$.pipe(tap(lines.recording)),
    witness.state$.pipe(tap(lines.witness)),
    witness.read$.pipe(tap(lines.witnessRead), tap(pages.witnessRead)),
    polling.answered$.pipe(tap(answered$)),
    polling.addressWarning$.pipe(tap(lines.addresses)),
    certificates.warning$.pipe(tap(lines.certificateEnds)),
    changes(cache, scheduler).pipe(tap(lines.change), tap(pages.changed), tap(systemd.changed)), // runs the polls
    // after the polls: a look-up may take long
    defer(() => listenAddresses.open()).pipe(tap(tellPm2), tap(systemd.listening), ignoreElements()),
    reloads({ initial, asked$, watchEveryMs: WATCH_FILES_EVERY_MS, apply, scheduler }).pipe(
      tap(lines.reload),
      tap(pages.reloaded),
      tap(systemd.reloaded),
    ),
    polling.freeze$.pipe(tap(lines.freeze)),
    ttlCheck.warning$.pipe(tap(lines.unsafeTtl)),
    members.warning$.pipe(tap(lines.members)),
    recognition.warning$.pipe(tap(lines.notPatroni)),
    eventLoopLag(scheduler).pipe(tap(pages.lagged), tap(recorder.lagged)),
    signals.ignored$.pipe(tap(lines.ignored)),
    signals.uncaught$,
  );
  lines.warnings(initial.config);
  lines.polling(initial.config, cache);
  await untilStopped(event$, signals.stop$, lines);
  await Promise.all([listenAddresses.close(CLOSE_WITHIN_MS), systemd.stopping(CLOSE_WITHIN_MS)]);
  lines.stopped();
}

// eslint-disable-next-line no-restricted-properties -- a time for people, in the body of a 503 and on the status page
const wallMs = (): number => Date.now();

/** For pm2's `wait_ready`. The callback drops the error when pm2 itself has ended. */
function tellPm2(): void {
  process.send?.('ready', undefined, undefined, () => undefined);
}

/** The only subscription: it runs the polls. If they end before `stop$`, this is a bug: it throws, to be started again. */
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

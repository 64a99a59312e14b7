import { formatDate } from '../certificates/validity.js';
import type { CertificateWarning } from '../streams/certificate-watch.js';
import { changedKeys } from '../config/changed-keys.js';
import type { Config, Reload } from '../config/types.js';
import { describeDuration, describeFailure } from '../patroni/snapshot-text.js';
import { BREAKAGES, type Breakage, breakages } from '../http/broken-connection.js';
import type { Crowding } from '../sockets/open-connections.js';
import type { OpenFilesBudget } from '../sockets/open-files.js';
import { messageOf } from '../errors.js';
import { describeRecording } from '../flight-recorder/describe.js';
import type { Recording } from '../flight-recorder/types.js';
import type { Log } from '../log/logger.js';
import { origin } from '../network/authority.js';
import { areLoopback, onlyFromHere } from '../network/loopback.js';
import type { RoutePlan } from '../streams/cache.js';
import { type Change, describeChange, factsOf } from '../streams/changes.js';
import type { FreezeChange } from '../streams/freeze.js';
import type { PolledOutcome } from '../streams/polling.js';
import { version } from '../version.js';
import type { AgentReply } from '../agent-check/types.js';
import type { Snapshot } from '../patroni/types.js';
import { oncePerMinute } from './once-per-minute.js';
import { type WitnessLines, createWitnessLines } from './witness-lines.js';

/** The log lines of the service: one function per event. Each line has the name of the event, and its facts for machines. */
export interface LogLines extends WitnessLines {
  readonly listening: (config: Config, addresses: readonly string[]) => void;
  /** `addresses` is empty when patroniglue no longer listens for agent checks. */
  readonly agentListening: (addresses: readonly string[], route: string) => void;
  readonly agentCheck: (reply: AgentReply, address: string) => void;
  readonly polling: (config: Config, plan: RoutePlan) => void;
  readonly warnings: (config: Config) => void;
  readonly skipped: (warning: string) => void;
  /** Logged at most once a minute, because a client that sends no header comes again and again. */
  readonly noProxyHeader: (address: string, why: string) => void;
  /** A PROXY header that is not expected: logged at most once a minute. */
  readonly proxyHeader: (address: string) => void;
  /** A connection that ended before it was a request: logged at most once a minute for each reason. */
  readonly broken: (breakage: Breakage, address: string, detail: string) => void;
  /** The name of the upstream has several addresses. */
  readonly addresses: (warning: string) => void;
  /** The upstream answers as different members: logged at most once a minute. */
  readonly members: (warning: string) => void;
  /** Something else than Patroni answers the polls. */
  readonly notPatroni: (warning: string) => void;
  readonly crowding: (crowding: Crowding, budget: OpenFilesBudget) => void;
  readonly change: (change: Change) => void;
  readonly outcome: (polled: PolledOutcome) => void;
  readonly freeze: (change: FreezeChange) => void;
  readonly recording: (recording: Recording) => void;
  readonly unsafeTtl: (warning: string | undefined) => void;
  readonly certificateEnds: (warning: CertificateWarning) => void;
  readonly reload: (reload: Reload) => void;
  readonly dropped: (dropped: number) => void;
  readonly ignored: (signal: NodeJS.Signals) => void;
  /** systemd cannot be told how the service is. */
  readonly systemd: (why: string) => void;
  readonly stopping: (signal: NodeJS.Signals) => void;
  readonly stopped: () => void;
}

/** Writes these lines to `log`. */
export function createLogLines(log: Pick<Log, 'write'>): LogLines {
  const broken = brokenConnectionLines(log);
  return {
    ...createWitnessLines(log),
    broken(breakage, address, detail) {
      broken.get(breakage)?.(address, detail);
    },
    listening({ frontend }, listeningAt) {
      const scheme = frontend.tls ? 'https' : 'http';
      const addresses = listeningAt.map((address) => `${scheme}://${address}`);
      const loopbackNote = areLoopback(listeningAt) ? ` (${onlyFromHere('frontend')})` : '';
      log.write('info', `patroniglue ${version} is listening on ${addresses.join(', ')}${loopbackNote}`, {
        event: 'listening',
        addresses,
      });
    },
    agentListening(addresses, route) {
      const where =
        addresses.length === 0 ? 'no longer listening' : `listening on ${addresses.join(', ')}, default route ${route}`;
      const loopbackNote = areLoopback(addresses) ? ` (${onlyFromHere('agent')})` : '';
      log.write('info', `agent checks: ${where}${loopbackNote}`, { event: 'agent-listening', addresses });
    },
    agentCheck({ route, state, line }, address) {
      log.write('verbose', `agent check by ${address}: ${route}: ${line}`, {
        event: 'agent-check',
        address,
        route,
        state,
      });
    },
    polling(config, { prefetched, maxLearned }) {
      const { ttlMs, intervalMs } = config.cache;
      const upstream = origin(config.backend);
      const pace = `every ${intervalMs / 1000} s; an answer is fresh for ${ttlMs / 1000} s`;
      const learning = maxLearned === 0 ? '' : `; up to ${maxLearned} other routes when clients ask for them`;
      log.write('info', `polling ${upstream} for ${prefetched.join(', ')} ${pace}${learning}`, {
        event: 'polling',
        upstream,
        routes: prefetched,
      });
    },
    warnings({ warnings }) {
      for (const warning of warnings) log.write('warn', warning, { event: 'configuration' });
    },
    skipped(warning) {
      log.write('warn', warning, { event: 'listening' });
    },
    noProxyHeader: oncePerMinute((address, why) => {
      const cure = 'use check-send-proxy at HAProxy, or set frontend.proxy-protocol: false';
      log.write('warn', `${address} sent no valid PROXY header: ${why}; ${cure}`, {
        event: 'no-proxy-header',
        address,
      });
    }),
    proxyHeader: oncePerMinute((address) => {
      const cure = 'set frontend.proxy-protocol: true, or remove check-send-proxy at HAProxy';
      log.write('warn', `${address} sent a PROXY header, and patroniglue refused it: ${cure}`, {
        event: 'proxy-header',
        address,
      });
    }),
    addresses: oncePerMinute((warning) => {
      log.write('warn', warning, { event: 'several-addresses' });
    }),
    members: oncePerMinute((warning) => {
      log.write('warn', warning, { event: 'several-members' });
    }),
    notPatroni(warning) {
      log.write('warn', warning, { event: 'not-patroni' });
    },
    crowding(crowding, budget) {
      if (crowding.kind === 'relieved') {
        const { ended } = crowding;
        log.write('info', `no longer too many connections: patroniglue ended ${ended}`, { event: 'relieved', ended });
        return;
      }
      const { connections } = budget;
      log.write('warn', `too many connections: ${describeBudget(budget)}, so each new connection ends the oldest`, {
        event: 'crowded',
        connections,
      });
    },
    change(change) {
      const isWorse =
        ['polls-failing', 'witness-answers', 'witness-reason', 'route-refused'].includes(change.kind) ||
        (change.kind === 'reply-changed' && isWithoutPatroni(change.to));
      log.write(isWorse ? 'warn' : 'info', describeChange(change), { event: change.kind, ...factsOf(change) });
    },
    outcome({ route, outcome }) {
      const tookMs = outcome.endedAtMs - outcome.sentAtMs;
      const end = outcome.kind === 'answered' ? String(outcome.answer.status) : describeFailure(outcome.failure);
      log.write('debug', `poll ${route}: ${end} in ${tookMs.toFixed(1)} ms`, {
        event: 'poll',
        route,
        outcome: outcome.kind,
        tookMs: Number(tookMs.toFixed(1)),
      });
    },
    recording(recording) {
      log.write('warn', describeRecording(recording), { event: 'flight-recording', ...recording });
    },
    freeze(change) {
      switch (change.kind) {
        case 'frozen':
          log.write(
            'warn',
            'Patroni is frozen: it accepts connections and answers no poll; patroniglue pauses its polls and waits on one connection',
            {
              event: 'upstream-frozen',
            },
          );
          return;
        case 'thawed': {
          const { lastedMs, failure } = change;
          const what = failure ? `is no longer frozen (${describeFailure(failure)})` : 'answers again';
          log.write('info', `Patroni ${what}, after a freeze of ${describeDuration(lastedMs)}`, {
            event: 'upstream-thawed',
            lastedMs: Math.round(lastedMs),
          });
          return;
        }
        case 'forgotten':
          log.write(
            'info',
            `reloaded during a freeze of ${describeDuration(change.lastedMs)}: patroniglue polls Patroni again`,
            {
              event: 'freeze-forgotten',
              lastedMs: Math.round(change.lastedMs),
            },
          );
      }
    },
    unsafeTtl(warning) {
      if (warning !== undefined) log.write('warn', warning, { event: 'ttl-unsafe' });
    },
    certificateEnds({ owner, toMs, message }) {
      log.write('warn', message, { event: 'certificate-ends', certificate: owner, ends: formatDate(toMs) });
    },
    reload(reload) {
      switch (reload.kind) {
        case 'unchanged':
          return;
        case 'accepted': {
          const changed = changedKeys(reload.before.config, reload.after.config);
          const what = changed.length === 0 ? 'nothing has changed' : `changed: ${changed.join(', ')}`;
          log.write('info', `reloaded; ${what}`, { event: 'reloaded', changed });
          return;
        }
        case 'refused': {
          const [first = '', ...others] = messageOf(reload.cause).split('\n');
          for (const problem of [first, ...others]) {
            log.write('warn', `not reloaded, the former configuration stays in force: ${problem}`, {
              event: 'reload-refused',
            });
          }
        }
      }
    },
    dropped(dropped) {
      log.write('warn', `patroniglue dropped ${dropped} log lines, because nobody read the log`, {
        event: 'lines-dropped',
        lines: dropped,
      });
    },
    ignored(signal) {
      log.write('info', `${signal}: nothing to do: no log file is open; SIGHUP reads the configuration again`, {
        event: 'signal-ignored',
        signal,
      });
    },
    systemd(why) {
      const line = `cannot tell systemd how patroniglue is: ${why}; it may restart patroniglue: install systemd-notify, or set Type=exec and WatchdogSec=0`;
      log.write('warn', line, { event: 'systemd-untold', why });
    },
    stopping(signal) {
      log.write('info', `${signal}: stopping`, { event: 'stopping', signal });
    },
    stopped() {
      log.write('info', 'stopped', { event: 'stopped' });
    },
  };
}

/** The reasons about PROXY headers have their own lines. `silent` is not logged: checks that only connect are normal. */
const LOGGED_ELSEWHERE: readonly Breakage[] = ['proxy-header', 'no-proxy-header', 'silent'];

function brokenConnectionLines(
  log: Pick<Log, 'write'>,
): ReadonlyMap<Breakage, (address: string, detail: string) => void> {
  const logged = breakages.filter((breakage) => !LOGGED_ELSEWHERE.includes(breakage));
  return new Map(
    logged.map((reason) => {
      const [what, cure] = BREAKAGES[reason];
      const write = oncePerMinute((address: string, detail: string) => {
        const why = detail === '' ? '' : ` (${detail})`;
        log.write('warn', `${address} ${what}${why}: ${cure}`, { event: 'broken-connection', address, reason });
      });
      return [reason, write];
    }),
  );
}

/** True for a 503 that Patroni has not said. */
function isWithoutPatroni(snapshot: Snapshot): boolean {
  return (
    snapshot.kind === 'stale' ||
    (snapshot.kind === 'fresh' && snapshot.witness !== undefined && snapshot.answer.status !== 200)
  );
}

function describeBudget({ connections, openFilesLimit }: OpenFilesBudget): string {
  return openFilesLimit === undefined
    ? `at most ${connections} at a time`
    : `the limit of ${openFilesLimit} open files (LimitNOFILE, ulimit -n) allows ${connections} at a time`;
}

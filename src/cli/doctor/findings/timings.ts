import type { Config } from '../../../config/types.js';
import { canonicalRoute, leaderRoute } from '../../../patroni/routes.js';
import { safeTtlMs } from '../../../patroni/timings.js';
import type { PatroniTimings } from '../../../patroni/timings-in-force.js';
import { ttlWarning } from '../../../streams/ttl-warning.js';
import { type ProxyChecks, timeToDownMs } from '../../haproxy/checks.js';
import { QUICKER } from '../../haproxy/quicker.js';
import { not, ok, secondsText } from '../finding.js';
import type { Facts, Finding } from '../types.js';

const CHECK = 'timings';

/**
 * `cache.ttl`, and the time that HAProxy takes to act on a 503, against the bound of Patroni's timings in force: another node
 * may be the primary from the bound on (docs/configuration.md).
 */
export function timingsFindings({ config, patroni, haproxy }: Facts): readonly Finding[] {
  const { timings } = patroni;
  const ttl = `cache.ttl ${secondsText(config.cache.ttlMs)}`;
  if (timings === undefined) {
    const found = `Patroni has not said its timings: ${ttl} is not compared with them`;
    return [not('UNKNOWN', CHECK, found, 'Ask again when Patroni answers GET /config with a configuration.')];
  }
  const warning = ttlWarning(config.cache, timings);
  const own = warning === undefined ? [] : [tooLong(config, timings, warning)];
  if (haproxy === undefined) {
    const more = "HAProxy's fall and inter are not added: name its file with --haproxy FILE";
    return own.length > 0 ? own : [ok(CHECK, `${ttl}: within ${boundText(timings)}; ${more}`)];
  }
  if ('problem' in haproxy) return own;
  const sections = haproxy.checks.filter((check) => asksForLeader(check, config));
  if (sections.length === 0 && own.length === 0) {
    const none = `no health check of ${haproxy.file} asks this port for a route of the leader`;
    return [ok(CHECK, `${ttl}: within ${boundText(timings)}; ${none}`)];
  }
  return [...own, ...sections.map((check) => sumFinding(config, timings, check))];
}

function boundText({ ttlMs, loopWaitMs, retryTimeoutMs }: PatroniTimings): string {
  const [ttl, loopWait, retryTimeout] = [ttlMs / 1000, loopWaitMs / 1000, retryTimeoutMs / 1000];
  return `the bound of ${ttl - loopWait - retryTimeout} s (Patroni's ttl ${ttl} - loop_wait ${loopWait} - retry_timeout ${retryTimeout})`;
}

function tooLong({ cache }: Config, timings: PatroniTimings, warning: string): Finding {
  const safeS = safeTtlMs(timings) / 1000;
  const todo =
    safeS > 0 && cache.ttlMs / 1000 > safeS
      ? `Set cache.ttl to ${safeS} or less, then reload.`
      : "Raise Patroni's ttl, or lower its loop_wait or retry_timeout (`patronictl edit-config`).";
  return not(cache.leaseGuard ? 'WARNING' : 'CRITICAL', CHECK, warning, todo);
}

/** True for a section that asks this front end for a route that only the holder of the leader key answers with 200. */
function asksForLeader({ targets, servers }: ProxyChecks, { frontend }: Config): boolean {
  const isAsked = servers.some(({ port }) => port === frontend.port);
  return (
    isAsked &&
    targets.some((target) => {
      const route = target === undefined ? undefined : canonicalRoute(target);
      return route !== undefined && leaderRoute(route) !== undefined;
    })
  );
}

function sumFinding({ cache, frontend }: Config, timings: PatroniTimings, check: ProxyChecks): Finding {
  const servers = check.servers.filter(({ port }) => port === frontend.port);
  const downMs = timeToDownMs({ servers });
  const boundMs = safeTtlMs(timings);
  const sumMs = cache.ttlMs + downMs;
  const sum = `${check.section} (line ${check.line}): cache.ttl ${secondsText(cache.ttlMs)} + fall and inter ${secondsText(downMs)} = ${secondsText(sumMs)}`;
  if (sumMs <= boundMs) return ok(CHECK, `${sum}: within ${boundText(timings)}`);
  const quicker = QUICKER.find(({ downS }) => downS * 1000 <= boundMs - cache.ttlMs);
  const todo = quicker
    ? `Write \`${quicker.words}\` (${quicker.downS} s) for these servers, then reload HAProxy.`
    : "Raise Patroni's ttl, or lower its loop_wait or retry_timeout (`patronictl edit-config`).";
  const over = `${sum}: over ${boundText(timings)}`;
  return cache.leaseGuard && downMs <= boundMs
    ? not('WARNING', CHECK, `${over}: only the lease guard keeps an old primary out in time`, todo)
    : not('CRITICAL', CHECK, `${over}: HAProxy may use the old primary when another node is the primary already`, todo);
}

import type { Config } from '../../../config/types.js';
import { canonicalRoute, leaderRoute } from '../../../patroni/routes.js';
import { writtenRoutesOf } from '../../live-check.js';
import { not, ok } from '../finding.js';
import { type Series, countsByRoute } from '../series.js';
import type { Facts, Finding } from '../types.js';
import { AGENT_REMEDY, spanText, uptimeS } from './words.js';

const CHECK = 'clients';

/** HAProxy has surely asked by then: its default is one check in two seconds. */
const SOON_S = 60;

/** Who asks, for what, and how often since the service runs. A service that nobody asks protects nobody. */
export function clientFindings(facts: Facts): readonly Finding[] {
  const { service } = facts;
  if (service.kind === 'silent' || service.series.length === 0) return [];
  const checks = countsByRoute(service.series, 'patroniglue_checks_total');
  const agents = countsByRoute(service.series, 'patroniglue_agent_checks_total');
  const counted = [...countTexts(checks, 'checks'), ...countTexts(agents, 'agent checks')].join(', ');
  const upS = uptimeS(facts);
  const since = upS === undefined ? 'since the start of the service' : `since its start ${spanText(upS)} ago`;
  const expected = expectedRoutes(facts);
  const missing = expected.filter((route) => !checks.has(route) && !agents.has(route));
  const found: Finding[] = expected
    .filter((route) => checks.has(route) && !agents.has(route))
    .flatMap((route) => endedFinding(route, service.series, facts));
  if (missing.length > 0 && upS !== undefined && upS < SOON_S) {
    found.push(ok(CHECK, `nobody has asked for ${missing.join(', ')} yet: the service runs only for ${spanText(upS)}`));
  } else if (missing.length > 0) {
    const asked = counted === '' ? '' : ` (but ${counted})`;
    found.push(
      not('WARNING', CHECK, `nobody has asked for ${missing.join(', ')} ${since}${asked}`, whereText(facts.config)),
    );
  } else if (found.length === 0) {
    found.push(
      ok(CHECK, counted === '' ? `nothing is expected, and nobody has asked ${since}` : `${counted} ${since}`),
    );
  }
  return [...found, ...agentsAlone(checks, agents)];
}

/** A load balancer that asked, and asks no more. */
function endedFinding(route: string, series: readonly Series[], { config }: Facts): readonly Finding[] {
  const last = series.find(
    ({ name, labels }) => name === 'patroniglue_last_check_age_seconds' && labels['route'] === route,
  );
  if (last === undefined || last.value < SOON_S) return [];
  return [not('WARNING', CHECK, `nobody has asked for ${route} for ${spanText(last.value)}`, whereText(config))];
}

function whereText({ frontend: { port } }: Config): string {
  return `Write \`check port ${port}\` in HAProxy's server line for this host, and look for a firewall between the two.`;
}

/** The routes that a haproxy.cfg asks of this port; without such a file, the first prefetched route of the leader. */
function expectedRoutes({ config, haproxy }: Facts): readonly string[] {
  if (haproxy && 'checks' in haproxy) {
    const targets = haproxy.checks
      .filter(({ servers }) => servers.some(({ port }) => port === config.frontend.port))
      .flatMap((check) => check.targets);
    const routes = targets.map((target) => (target === undefined ? undefined : canonicalRoute(target)));
    return [...new Set(routes.filter((route) => route !== undefined))];
  }
  return writtenRoutesOf(config)
    .map(({ route }) => route)
    .filter((route) => leaderRoute(route) === 'leader-only')
    .slice(0, 1);
}

function countTexts(counts: ReadonlyMap<string, number>, what: string): readonly string[] {
  return [...counts].filter(([, count]) => count > 0).map(([route, count]) => `${route}: ${count} ${what}`);
}

/** HAProxy ignores an agent that it cannot reach, so a dead patroniglue would leave its servers UP. */
function agentsAlone(checks: ReadonlyMap<string, number>, agents: ReadonlyMap<string, number>): readonly Finding[] {
  const total = (counts: ReadonlyMap<string, number>): number =>
    [...counts.values()].reduce((sum, one) => sum + one, 0);
  if (total(agents) === 0 || total(checks) > 0) return [];
  const found = `agent checks come, and no HTTP check: HAProxy ignores an agent that it cannot reach`;
  return [not('CRITICAL', 'agents', found, AGENT_REMEDY)];
}

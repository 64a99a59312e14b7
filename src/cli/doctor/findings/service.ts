import type { Config } from '../../../config/types.js';
import { authority, origin } from '../../../network/authority.js';
import { not, ok, secondsText } from '../finding.js';
import { type Series, valueIn } from '../series.js';
import type { Facts, Finding, ServiceFacts } from '../types.js';
import { repliesText, spanText, uptimeS } from './words.js';

/** The running service: does it answer, is it ready, is it the installed version, has it read the configuration? */
export function serviceFindings(facts: Facts): readonly Finding[] {
  const { config, service } = facts;
  const address = authority(config.frontend.host, config.frontend.port);
  if (service.kind === 'silent') {
    const found = `no patroniglue answers at ${address}: ${service.problem}`;
    return [not('CRITICAL', 'service', found, silenceRemedy(service.silence, config))];
  }
  const { isReady, readiness, series } = service;
  const upS = uptimeS(facts);
  const running = `patroniglue answers at ${address}${upS === undefined ? '' : `, for ${spanText(upS)}`}`;
  const repliesBy = valueIn(series, 'patroniglue_witness_active') === 1 ? repliesText(facts) : undefined;
  const ready = isReady
    ? ok('service', `${running}; ready${repliesBy === undefined ? '' : ` (checks get ${repliesBy})`}`)
    : not(
        'CRITICAL',
        'service',
        `${running}; ${readiness}`,
        `See the line about Patroni. If it is OK, \`curl ${origin({ ...config.frontend, scheme: config.frontend.tls ? 'https' : 'http' })}/primary\` tells the reason.`,
      );
  return [ready, ...versionFindings(facts, service), ...reloadFindings(facts, series)];
}

/** What to do about a service that gives no reply. */
function silenceRemedy(
  silence: Extract<ServiceFacts, { kind: 'silent' }>['silence'],
  { frontend: { port, allow } }: Config,
): string {
  switch (silence) {
    case 'refused':
      return 'Start it (`systemctl start patroniglue`), and read why it ended (`journalctl -u patroniglue -n 50`).';
    case 'late':
      return 'If it runs (`systemctl status patroniglue`), it stands still: restart it. Otherwise look for a firewall.';
    case 'another program':
      return `End the other program (\`ss -ltnp sport = :${port}\` names it), or give patroniglue another frontend.port.`;
    case 'ended':
    case 'other':
      return allow === undefined
        ? 'See which program has the port (`ss -ltnp`). If it is patroniglue, it runs with another configuration: reload it.'
        : "If frontend.allow refuses this host's address, the log of the service names it: add it there, then reload.";
  }
}

function versionFindings(
  { version, patroni }: Facts,
  { series, withoutMetrics = 'they have no version' }: Extract<ServiceFacts, { kind: 'answers' }>,
): readonly Finding[] {
  const running = series.find(({ name }) => name === 'patroniglue_build_info')?.labels;
  if (running === undefined) {
    const found = `installed: ${version}; the service gives this host no metrics, so its version is not known: ${withoutMetrics}`;
    return [not('UNKNOWN', 'versions', found, 'Let this host see /-/metrics (docs/security.md, "Who may ask").')];
  }
  const { version: runs = '?', node = '?' } = running;
  const others = `Node.js ${node}, Patroni ${patroni.version ?? 'unknown'}`;
  return runs === version
    ? [ok('versions', `patroniglue ${runs}, ${others}`)]
    : [
        not(
          'WARNING',
          'versions',
          `patroniglue ${runs} runs, and ${version} is installed; ${others}`,
          'Restart the service: it is ready again within a second.',
        ),
      ];
}

/** The configuration file may be newer than the configuration in force. */
function reloadFindings({ config, file }: Facts, series: readonly Series[]): readonly Finding[] {
  const ttlS = valueIn(series, 'patroniglue_cache_ttl_seconds');
  if (ttlS === undefined || ttlS * 1000 === config.cache.ttlMs) return [];
  const found = `the service runs with cache.ttl ${ttlS} s, and ${file} says ${secondsText(config.cache.ttlMs)}`;
  return [not('WARNING', 'reload', found, 'Reload the service, and read in its log whether it refuses the file.')];
}

import { authority } from '../../../network/authority.js';
import { not, ok, secondsText } from '../finding.js';
import { type Series, valueIn } from '../series.js';
import type { Facts, Finding } from '../types.js';
import { spanText, uptimeS } from './words.js';

/** The running service: does it answer, is it ready, is it the installed version, has it read the configuration? */
export function serviceFindings(facts: Facts): readonly Finding[] {
  const { config, service } = facts;
  const address = authority(config.frontend.host, config.frontend.port);
  if (service.kind === 'silent') {
    const todo = 'Start it (`systemctl start patroniglue`), and read why it ended (`journalctl -u patroniglue -n 50`).';
    return [not('CRITICAL', 'service', `no patroniglue answers at ${address}: ${service.problem}`, todo)];
  }
  const { isReady, readiness, series } = service;
  const upS = uptimeS(facts);
  const running = `patroniglue answers at ${address}${upS === undefined ? '' : `, for ${spanText(upS)}`}`;
  const ready = isReady
    ? ok('service', `${running}; ready`)
    : not(
        'CRITICAL',
        'service',
        `${running}; ${readiness}`,
        'See the line about Patroni: checks get 503 until it answers.',
      );
  return [ready, ...versionFindings(facts, series), ...reloadFindings(facts, series)];
}

function versionFindings({ version, patroni }: Facts, series: readonly Series[]): readonly Finding[] {
  const running = series.find(({ name }) => name === 'patroniglue_build_info')?.labels;
  if (running === undefined) {
    const found = `installed: ${version}; the service gives no metrics, so its version is not known`;
    return [not('UNKNOWN', 'versions', found, 'See what `curl -s` says at /-/metrics of this address.')];
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

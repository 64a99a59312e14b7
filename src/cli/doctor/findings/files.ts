import { MAX_CONNECTIONS, ampleOpenFiles } from '../../../sockets/open-files.js';
import { not, ok } from '../finding.js';
import { valueIn } from '../series.js';
import type { Facts, Finding } from '../types.js';

const CHECK = 'files';

const REMEDY = 'Write LimitNOFILE=4096 into the unit of the service (`systemctl edit patroniglue`), then restart it.';

/** Whether the limit of open files of the running service leaves enough connections for clients. */
export function filesFindings({ config, service, process }: Facts): readonly Finding[] {
  if (service.kind === 'silent') return [];
  const openFiles = process?.openFiles ?? valueIn(service.series, 'process_open_fds');
  const allowed = valueIn(service.series, 'patroniglue_open_connections_limit');
  if (process === undefined) {
    const hidden = 'its process may not be seen by this user';
    if (allowed === undefined) {
      return [not('UNKNOWN', CHECK, `the limit of open files is not known: ${hidden}`, 'Run it as root.')];
    }
    const told = `the service allows ${allowed} connections of clients`;
    return [allowed < MAX_CONNECTIONS ? not('WARNING', CHECK, told, REMEDY) : ok(CHECK, `${told}; ${hidden}`)];
  }
  const { source, openFilesLimit } = process;
  const told = `${source}: ${openFiles ?? '?'} open files of ${openFilesLimit}`;
  const ample = ampleOpenFiles(config.backend.routes.length + config.cache.learn);
  if (openFilesLimit < ample) {
    const found = `${told}: fewer than ${ample}, so fewer than ${MAX_CONNECTIONS} connections of clients`;
    return [not('WARNING', CHECK, found, REMEDY)];
  }
  return openFiles !== undefined && openFiles > openFilesLimit * 0.8
    ? [
        not(
          'WARNING',
          CHECK,
          `${told}: more than four fifths`,
          'Find the clients that keep connections open (`ss -tn`).',
        ),
      ]
    : [ok(CHECK, told)];
}

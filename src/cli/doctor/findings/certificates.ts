import { describeEnd, formatDate } from '../../../certificates/validity.js';
import { type Watched, certificatesInFiles } from '../../../streams/certificate-watch.js';
import { not, ok } from '../finding.js';
import type { Facts, Finding } from '../types.js';

const CHECK = 'certificates';

/** When certificates end: those in files, and those that the front end and Patroni show. */
export function certificateFindings({ config, patroni, service, nowMs }: Facts): readonly Finding[] {
  const shown = service.kind === 'answers' ? service.certificate : undefined;
  const watched: readonly Pick<Watched, 'name' | 'fromMs' | 'toMs'>[] = [
    ...certificatesInFiles(config),
    ...(shown ? [{ name: 'the certificate that the front end shows', ...shown }] : []),
    ...(patroni.certificate && !config.backend.tls.insecure
      ? [{ name: "Patroni's certificate", ...patroni.certificate }]
      : []),
  ];
  if (watched.length === 0) return [ok(CHECK, 'none are used')];
  const near = watched.flatMap((certificate) => {
    const end = describeEnd(certificate, nowMs);
    if (end === undefined) return [];
    const state = certificate.toMs < nowMs ? 'CRITICAL' : 'WARNING';
    return [not(state, CHECK, `${certificate.name} ${end}`, 'Renew it; patroniglue reads a new file within a minute.')];
  });
  if (near.length > 0) return near;
  const [first = watched[0]] = [...watched].sort((one, other) => one.toMs - other.toMs);
  return [
    ok(CHECK, `the first of ${watched.length} to end is ${first?.name ?? ''}, on ${formatDate(first?.toMs ?? 0)}`),
  ];
}

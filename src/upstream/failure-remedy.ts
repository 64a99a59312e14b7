import type { FailureReason, PollFailure, TlsTrouble } from '../patroni/types.js';

/** Where the packages put the runbook, and where every patroniglue that runs gives it. */
const RUNBOOK =
  'the runbook (/usr/share/doc/patroniglue/docs/runbook-patroni-frozen.md, or GET /-/runbook of patroniglue)';

const OTHER_PROGRAM =
  'Another program than Patroni listens there: write the host and the port of restapi.listen (patroni.yml of this node) as ' +
  'backend.host and backend.port.';

const BY_REASON: Readonly<Record<Exclude<FailureReason, 'timed-out' | 'reset' | 'tls'>, string>> = {
  refused:
    'Start Patroni, if it does not run. If it runs, write the host and the port of restapi.listen (patroni.yml of this node) ' +
    'as backend.host and backend.port.',
  unreachable: 'Correct backend.host, or look at the routes and the interfaces of this host (`ip route get ADDRESS`).',
  'cut-off': 'Read in the log of Patroni why it ended in the middle of an answer.',
  'name-lookup': 'Write an address as backend.host, or mend the name server of this host.',
  'refused-access': 'Correct user and password.', // only etcd refuses access
  malformed: `If patroni.yml has restapi.certfile, set backend.scheme to https. Otherwise: ${OTHER_PROGRAM}`,
  'too-large': OTHER_PROGRAM,
  'no-files': 'Raise the limit of open files (LimitNOFILE, `ulimit -n`), or find out what uses them.',
  other: 'Look at what the brackets say, and at the log of Patroni.',
};

const BY_TROUBLE: Readonly<Record<TlsTrouble, string>> = {
  'no-tls': 'That port speaks no TLS: set backend.scheme to http, or restapi.certfile in patroni.yml.',
  'unknown-ca':
    "Write the CA that has signed Patroni's certificate as backend.cafile (restapi.cafile in patroni.yml may be it). " +
    'For a certificate that has signed itself, this is the certificate.',
  'wrong-name': 'Set backend.servername to a name that the certificate has.',
  dates:
    "Renew Patroni's certificate (restapi.certfile), then `patronictl reload`. If it is new, look at the clock here.",
  'client-certificate':
    'Patroni wants a client certificate: write one that restapi.cafile has signed as backend.certfile, with backend.keyfile.',
};

/** What to do about a failed poll of Patroni, in a sentence or two, for the keys of section `backend`. */
export function failureRemedy({ reason, message, tls }: PollFailure, scheme: 'http' | 'https'): string {
  if (reason === 'timed-out') {
    return message.startsWith('not connected')
      ? `If nothing answers at that address, correct backend.host, or look for a firewall. If Patroni runs there, decide by ${RUNBOOK}.`
      : `Patroni hangs: take the evidence, then decide by ${RUNBOOK}.`;
  }
  if (reason === 'reset') {
    return scheme === 'http'
      ? 'If patroni.yml has restapi.certfile, set backend.scheme to https. Otherwise read in the log of Patroni why it ended the connection.'
      : 'If patroni.yml has verify_client: required, write backend.certfile and backend.keyfile. Otherwise read the log of Patroni.';
  }
  if (reason !== 'tls') return BY_REASON[reason];
  return tls === undefined
    ? 'Compare restapi in patroni.yml (certfile, cafile, verify_client, ciphers) with backend.cafile and backend.certfile.'
    : BY_TROUBLE[tls];
}

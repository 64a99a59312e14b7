import { isIP } from 'node:net';
import { ASSUMED_TIMINGS, type PatroniTimings } from '../../patroni/timings-in-force.js';
import type { Bound } from './bound.js';
import { isHost, isWildcard } from './endpoints.js';
import { type ApiSettings, hostFromElsewhere, hostFromHere } from './patroni-settings.js';
import { comment, keyLine } from './yaml-text.js';

/** The port of examples/haproxy.cfg. If Patroni itself has it (a second cluster of Debian on one machine), the next one. */
export function frontendPort({ listen }: ApiSettings): number {
  return listen.port === 8009 ? 8010 : 8009;
}

/** The section `frontend`. */
export function frontendText(api: ApiSettings): readonly string[] {
  const host = hostFromElsewhere(api);
  const key = api.connect === undefined ? 'restapi.listen' : 'restapi.connect_address';
  const about =
    host === undefined
      ? 'patroni.yml has no address at which another machine reaches this node. If HAProxy runs on another machine, write ' +
        'the address that HAProxy checks.'
      : `The address of this node: ${key}. HAProxy checks patroniglue there. If no interface of this machine has this ` +
        'address (NAT, container), write 0.0.0.0.';
  const isName = host !== undefined && isIP(host) === 0;
  const port = frontendPort(api);
  return [
    "# Where patroniglue answers HAProxy's health checks.",
    'frontend:',
    ...comment(about, 2),
    ...(isName ? comment('patroniglue listens on the addresses that this machine knows for the name.', 2) : []),
    keyLine(2, 'host', host ?? 'localhost'),
    ...(port === 8009 ? [] : comment("Not 8009, because Patroni's REST API listens there.", 2)),
    keyLine(2, 'port', port),
    ...accessText(api),
  ];
}

/** As comments: HAProxy and all other clients must be ready first. */
function accessText({ verifiesClients, hasAllowlist }: ApiSettings): readonly string[] {
  const allowlist = hasAllowlist
    ? comment(
        'restapi.allowlist limits only who may change the cluster, which nobody can through patroniglue. To limit who may ' +
          'ask patroniglue at all, use allow.',
        2,
      )
    : [];
  if (verifiesClients === undefined) return allowlist;
  const { verifyClient, certfile, keyfile, cafile, ciphers } = verifiesClients;
  const about =
    `Patroni asks its clients for a certificate (restapi.verify_client: ${verifyClient}), patroniglue does not. If it must, ` +
    'let it read these files (LoadCredential= in docs/install.md), give HAProxy a certificate (examples/haproxy-tls.cfg), and remove these #:';
  const lines = [
    ...[keyLine(0, 'certfile', certfile), keyLine(0, 'keyfile', keyfile), keyLine(0, 'cafile', cafile)],
    ...[keyLine(0, 'verify-client', verifyClient)],
    ...(ciphers === undefined ? [] : [keyLine(0, 'tls-ciphers', ciphers)]),
  ];
  return [...allowlist, ...comment(about, 2), ...lines.flatMap((line) => comment(line, 2))];
}

/** The section `backend`, without its routes. */
export function backendText(api: ApiSettings): readonly string[] {
  const { listen, https } = api;
  const host = hostFromHere(listen);
  const about = isWildcard(listen.host)
    ? 'restapi.listen has all addresses of the machine: patroniglue asks Patroni on loopback.'
    : 'restapi.listen';
  return [
    "# Patroni's REST API.",
    'backend:',
    ...comment(about, 2),
    keyLine(2, 'host', host),
    keyLine(2, 'port', listen.port),
    ...(https ? httpsText(api, host) : keyOnly('scheme', 'http')),
  ];
}

const keyOnly = (key: string, value: string): readonly string[] => [keyLine(2, key, value)];

function httpsText(api: ApiSettings, host: string): readonly string[] {
  return [
    ...comment('https, because restapi.certfile is there.', 2),
    keyLine(2, 'scheme', 'https'),
    ...serverNameText(api, host),
    ...caText(api),
    ...clientText(api),
  ];
}

/** Patroni's members ask each other at `connect_address`, so the certificate has its name. */
function serverNameText({ connect, insecure }: ApiSettings, host: string): readonly string[] {
  if (insecure || connect?.host === host) return [];
  if (connect === undefined || !isHost(connect.host)) {
    return comment(`If Patroni's certificate does not have ${host}, write the name that it has: # servername: ...`, 2);
  }
  const about = `Patroni's certificate has the name in restapi.connect_address, and not ${host}.`;
  return [...comment(about, 2), keyLine(2, 'servername', connect.host)];
}

function caText({ cafile, insecure }: ApiSettings): readonly string[] {
  if (insecure) {
    const about =
      "ctl.insecure is on, so Patroni's own clients do not check the certificate. It is better to check it: remove this " +
      'line, and write cafile, the file of the CA that signed it.';
    return [
      ...comment(about, 2),
      keyLine(2, 'insecure', true),
      ...comment(`cafile: ${cafile ?? '/etc/patroniglue/ca.pem'}`, 2),
    ];
  }
  if (cafile === undefined) {
    const about =
      'patroni.yml names no CA (ctl.cacert, restapi.cafile). If the CA of the certificate is your own, write its file:';
    return [...comment(about, 2), ...comment('cafile: /etc/patroniglue/ca.pem', 2)];
  }
  return [...comment('ctl.cacert, or else restapi.cafile.', 2), keyLine(2, 'cafile', cafile)];
}

function clientText({ wantsCertificate, client }: ApiSettings): readonly string[] {
  if (!wantsCertificate) return [];
  const why = 'Patroni wants a client certificate (restapi.verify_client: required).';
  if (client === undefined) {
    const what =
      'patroni.yml has none for clients (ctl.certfile). Make a key and a certificate that the CA of restapi.cafile signs, ' +
      'let only root and patroniglue read the key (LoadCredential= in docs/install.md), and remove these two #:';
    return [
      ...comment(`${why} ${what}`, 2),
      ...comment('certfile: /etc/patroniglue/client.pem', 2),
      ...comment('keyfile: /etc/patroniglue/client.key', 2),
    ];
  }
  if (client.hasPassphrase) {
    const what =
      'The key of ctl has a passphrase. Write the passphrase into a file that only root and patroniglue may read ' +
      '(LoadCredential= in docs/install.md), and remove these three #:';
    return [
      ...comment(`${why} ${what}`, 2),
      ...comment(`certfile: ${client.certfile}`, 2),
      ...comment(`keyfile: ${client.keyfile}`, 2),
      ...comment('keyfile-password-file: /etc/patroniglue/client-key-password', 2),
    ];
  }
  const about = `${why} This is the one of ctl.`;
  return [...comment(about, 2), keyLine(2, 'certfile', client.certfile), keyLine(2, 'keyfile', client.keyfile)];
}

/** The section `cache`. */
export function cacheText(
  { timings, hasTimings }: { readonly timings: PatroniTimings | undefined; readonly hasTimings: boolean },
  { boundS, ttlS, intervalS }: Bound,
): readonly string[] {
  const { ttlMs, loopWaitMs, retryTimeoutMs, written } = timings ?? ASSUMED_TIMINGS;
  const [ttl, loopWait, retryTimeout] = [ttlMs / 1000, loopWaitMs / 1000, retryTimeoutMs / 1000];
  const origin =
    timings === undefined
      ? "bootstrap.dcs has values that Patroni refuses: these are Patroni's defaults"
      : hasTimings
        ? 'bootstrap.dcs'
        : "Patroni's defaults, because bootstrap.dcs has no other values";
  const lines = [
    `The bound of ttl: Patroni's ttl - loop_wait - retry_timeout = ${ttl} - ${loopWait} - ${retryTimeout} = ${boundS} s ` +
      `(${origin}).`,
    ...(written === undefined
      ? []
      : [
          `bootstrap.dcs says ${written.ttl}, ${written.loop_wait} and ${written.retry_timeout}. Patroni 3.2 and later ` +
            'changes these values, because they break its rules (loop_wait + 2 * retry_timeout <= ttl, and the minima 20, 1 ' +
            'and 3). Older versions use them as they are written: correct them there.',
        ]),
    'bootstrap.dcs counts only when a cluster is made: `patronictl show-config` has the values of today. patroniglue ' +
      'compares ttl with the timings in force every minute, and logs a warning if ttl is over the bound.',
  ];
  return [
    '# How long patroniglue repeats an answer, and how often it polls Patroni, in seconds.',
    'cache:',
    ...lines.flatMap((line) => comment(line, 2)),
    keyLine(2, 'ttl', ttlS),
    keyLine(2, 'interval', intervalS),
  ];
}

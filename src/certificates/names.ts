import { isIP } from 'node:net';
import { type PeerCertificate, checkServerIdentity } from 'node:tls';

/** So many names of a certificate are listed; that of a whole platform may have hundreds. */
const MAX_LISTED = 10;

/** And so much of each: a host name has at most 253 characters (RFC 1035, section 2.3.4), and its sender is not trusted. */
const MAX_NAME = 253;

/**
 * Node's own check that a certificate has a name (RFC 9525, section 6), with an error that says which names it has instead:
 * Node's lists no DNS names where an address was asked.
 *
 * @param asked a name, or an address, which must stand in the certificate as an address
 */
export function checkNames(asked: string, certificate: PeerCertificate): Error | undefined {
  const error = checkServerIdentity(asked, certificate);
  if (error === undefined) return undefined;
  const names = namesOf(certificate);
  const addresses = names.filter(({ kind, name }) => kind === 'DNS' && isIP(name) !== 0).map(({ name }) => name);
  const asName =
    addresses.length === 0
      ? ''
      : `; ${list(addresses)} stands there as a DNS name, where an address must be an IP entry`;
  return Object.assign(
    new Error(`the certificate is not for ${asked}, but for ${describe(names, certificate)}${asName}`),
    {
      code: 'ERR_TLS_CERT_ALTNAME_INVALID', // that of Node's own
    },
  );
}

/** A name of a certificate, and its kind in the words of OpenSSL's configuration: `DNS`, `IP`, `URI`. */
interface Name {
  readonly kind: string;
  readonly name: string;
}

/** Names with a comma or the like are quoted as JSON: https://nodejs.org/api/crypto.html, `x509.subjectAltName`. */
function namesOf({ subjectaltname = '' }: PeerCertificate): readonly Name[] {
  const entries = subjectaltname.match(/(?:[^",]|"(?:[^"\\]|\\.)*")+/g) ?? [];
  return entries.map((entry) => {
    const [, kind = '', name = ''] = /^ *([^:]*):(.*)$/.exec(entry) ?? [];
    return { kind: kind.replace(' Address', ''), name: name.slice(0, MAX_NAME) };
  });
}

function describe(names: readonly Name[], { subject }: PeerCertificate): string {
  if (names.length > 0) return list(names.map(({ kind, name }) => `${kind}:${name}`));
  const { CN = [] } = { ...subject } as { CN?: string | string[] }; // Node gives a subject that is empty as none
  const common = [CN].flat().join(', ').slice(0, MAX_NAME);
  const commonName = common === '' ? '' : ` (its common name is ${common})`;
  return `no name at all: it has no subjectAltName${commonName}`;
}

function list(names: readonly string[]): string {
  const more = names.length - MAX_LISTED;
  return `${names.slice(0, MAX_LISTED).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

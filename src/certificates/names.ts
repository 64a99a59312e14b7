import { isIP } from 'node:net';
import { type PeerCertificate, checkServerIdentity } from 'node:tls';

/** The most names that a message lists. A certificate for a whole platform may have hundreds. */
const MAX_LISTED = 10;

/**
 * The most characters of a name in a message. A host name has at most 253 (RFC 1035, section 2.3.4), but the sender of the
 * certificate is not trusted.
 */
const MAX_NAME = 253;

/**
 * Node's own check that a certificate has a name (RFC 9525, section 6), with a better error: it lists the names that the
 * certificate has. Node's error lists no DNS names if `asked` is an address.
 *
 * @param asked a name or an address. An address must be an IP entry of the certificate
 */
export function checkNames(asked: string, certificate: PeerCertificate): Error | undefined {
  const error = checkServerIdentity(asked, certificate);
  if (error === undefined) return undefined;
  const names = namesOf(certificate);
  const addresses = names.filter(({ kind, name }) => kind === 'DNS' && isIP(name) !== 0).map(({ name }) => name);
  const asName =
    addresses.length === 0 ? '' : `; it has ${list(addresses)} as a DNS name, but an address must be an IP entry`;
  return Object.assign(
    new Error(`the certificate is not for ${asked}, but for ${describe(names, certificate)}${asName}`),
    {
      code: 'ERR_TLS_CERT_ALTNAME_INVALID', // as Node's own error has
    },
  );
}

/** A name of a certificate, and its kind as OpenSSL's configuration calls it: `DNS`, `IP`, `URI`. */
interface Name {
  readonly kind: string;
  readonly name: string;
}

/** Node quotes a name with a comma or a similar character as JSON: https://nodejs.org/api/crypto.html, `x509.subjectAltName`. */
function namesOf({ subjectaltname = '' }: PeerCertificate): readonly Name[] {
  const entries = subjectaltname.match(/(?:[^",]|"(?:[^"\\]|\\.)*")+/g) ?? [];
  return entries.map((entry) => {
    const [, kind = '', name = ''] = /^ *([^:]*):(.*)$/.exec(entry) ?? [];
    return { kind: kind.replace(' Address', ''), name: name.slice(0, MAX_NAME) };
  });
}

function describe(names: readonly Name[], { subject }: PeerCertificate): string {
  if (names.length > 0) return list(names.map(({ kind, name }) => `${kind}:${name}`));
  const { CN = [] } = { ...subject } as { CN?: string | string[] }; // an empty subject is `undefined` in Node
  const common = [CN].flat().join(', ').slice(0, MAX_NAME);
  const commonName = common === '' ? '' : ` (its common name is ${common})`;
  return `no name at all: it has no subjectAltName${commonName}`;
}

function list(names: readonly string[]): string {
  const more = names.length - MAX_LISTED;
  return `${names.slice(0, MAX_LISTED).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

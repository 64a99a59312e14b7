import { isLoopback } from '../network/loopback.js';
import { type Fields, settingsOf } from './section.js';
import type { ClientTls, Etcd3Config, WitnessConfig } from './types.js';

/** What the files that the section `witness` names say. */
interface WitnessFiles {
  readonly tls: ClientTls<'witness.etcd3'>;
  readonly password: string | undefined;
}

/** The section `witness`; `undefined` if the file does not have it, or if a key that it needs has a problem. */
export function readWitness(fields: Fields, { tls, password }: WitnessFiles): WitnessConfig | undefined {
  const { key, name } = fields.witness;
  const { hosts, scheme, username } = fields['witness.etcd3'];
  if (name.value?.includes('/'))
    name.problem('must not have a slash: Patroni itself ignores a member with a slash in its name');
  warnOfPlainHttp(fields['witness.etcd3']);
  if (key.value === undefined || hosts.value === undefined) return undefined;
  const { postgres, ...settings } = settingsOf('witness', fields, {});
  const etcd3: Etcd3Config = {
    ...{ hosts: hosts.value, scheme: scheme.value, tls },
    ...(username.value !== undefined && { username: username.value }),
    ...(password !== undefined && { password }),
  };
  return { etcd3, ...settings, ...(postgres !== 'none' && { postgres }) };
}

/** Warns of HTTP to another host: what etcd answers then decides over a 200, and nobody has checked who answered. */
function warnOfPlainHttp({ scheme, hosts, username }: Fields['witness.etcd3']): void {
  const far = hosts.value?.find(({ host }) => !isLoopback(host));
  if (scheme.value !== 'http' || far === undefined) return;
  const alsoRead = username.state === 'given' ? ', and can read the password' : '';
  scheme.warning(
    `with http to ${far.host}, anybody in between can answer in etcd's place${alsoRead}: use https`,
    scheme.at ?? hosts.at,
  );
}

import { readFile, readdir } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { isClosedToOthers } from '../other-users.js';
import type { Dcs } from './dcs-settings.js';
import type { ApiSettings, PatroniSettings } from './patroni-settings.js';

/** A file of which systemd gives the service a copy (`LoadCredential=` in systemd.exec(5)). */
interface Credential {
  /** The name of the copy. */
  readonly name: string;
  readonly file: string;
}

/** What the service needs from systemd. */
export interface UnitNeeds {
  /** `patroniglue.service` */
  readonly unit: string;
  readonly credentials: readonly Credential[];
}

/** Where the administrator's drop-ins of units are. */
const SYSTEM_UNITS = '/etc/systemd/system';

/** The unit that reads a configuration: each other `/etc/patroniglue/NAME.yml` is for `patroniglue@NAME`. */
export function unitOf(config: string | undefined): string {
  const path = resolve(config ?? '');
  const name = dirname(path) === '/etc/patroniglue' ? basename(path, '.yml') : 'config';
  return name === 'config' || !/^[\w.-]+$/.test(name) ? 'patroniglue.service' : `patroniglue@${name}.service`;
}

/**
 * The settings with the paths of systemd's copies, in place of files that the service's own user cannot read. The password
 * for etcd is always one of them.
 *
 * @param isClosed true for a file that this user cannot read
 */
export async function withCredentials(
  settings: PatroniSettings,
  unit: string,
  isClosed: (file: string) => Promise<boolean> = isClosedToOthers,
): Promise<UnitNeeds & { readonly settings: PatroniSettings }> {
  const credentials: Credential[] = [];
  const copyOf: CopyOf = (name, file) => {
    credentials.push({ name, file });
    return `/run/credentials/${unit}/${name}`;
  };
  const copyIfClosed: CopyIfClosed = async (name, file) =>
    isForUnit(file) && (await isClosed(file)) ? copyOf(name, file) : file;
  const api = await apiWith(settings.api, copyIfClosed);
  const dcs = await dcsWith(settings.dcs, copyIfClosed, copyOf);
  return { unit, credentials, settings: { ...settings, api, dcs } };
}

type CopyOf = (name: string, file: string) => string;
type CopyIfClosed = (name: string, file: string) => Promise<string>;

/** True for a path that needs no quotes in a unit. systemd takes only absolute paths. */
function isForUnit(file: string): boolean {
  return /^\/[\w./@+,:=%~ -]*\w$/.test(file);
}

/** With the files that `backend` names: patroni-text.ts. */
async function apiWith(api: ApiSettings, copy: CopyIfClosed): Promise<ApiSettings> {
  if (!api.https) return api;
  const { cafile, insecure, wantsCertificate, client } = api;
  const isCaUsed = cafile !== undefined && !insecure;
  const isClientUsed = client !== undefined && wantsCertificate && !client.hasPassphrase;
  return {
    ...api,
    ...(isCaUsed && { cafile: await copy('patroni-ca.pem', cafile) }),
    ...(isClientUsed && { client: { ...client, ...(await pairWith('patroni-client', client, copy)) } }),
  };
}

/** With the files that `witness.etcd3` names: witness-text.ts. */
async function dcsWith(dcs: Dcs, copy: CopyIfClosed, copyOf: CopyOf): Promise<Dcs> {
  if (dcs.kind !== 'etcd3' || dcs.hosts.length === 0) return dcs;
  const { https, cafile, client, username, passwordFile } = dcs;
  return {
    ...dcs,
    ...(https && cafile !== undefined && { cafile: await copy('etcd-ca.pem', cafile) }),
    ...(https && client !== undefined && { client: await pairWith('etcd-client', client, copy) }),
    ...(username !== undefined && { passwordFile: copyOf('etcd-password', passwordFile) }),
  };
}

interface Pair {
  readonly certfile: string;
  readonly keyfile: string;
}

async function pairWith(name: string, { certfile, keyfile }: Pair, copy: CopyIfClosed): Promise<Pair> {
  return { certfile: await copy(`${name}.pem`, certfile), keyfile: await copy(`${name}.key`, keyfile) };
}

/** The lines of the drop-in. */
export function dropInLines({ credentials }: UnitNeeds): readonly string[] {
  // In a unit, % begins a specifier.
  return ['[Service]', ...credentials.map(({ name, file }) => `LoadCredential=${name}:${file.replaceAll('%', '%%')}`)];
}

/** The file of the drop-in. */
export function dropInFile({ unit }: UnitNeeds, units = SYSTEM_UNITS): string {
  return join(units, `${unit}.d`, 'patroniglue-init.conf');
}

/** True if drop-ins of the unit have all lines that are needed. */
export async function isInForce(needs: UnitNeeds, units = SYSTEM_UNITS): Promise<boolean> {
  const folder = dirname(dropInFile(needs, units));
  const names = await readdir(folder).catch(() => []);
  const texts = await Promise.all(
    names.filter((name) => name.endsWith('.conf')).map((name) => readFile(join(folder, name), 'utf8').catch(() => '')),
  );
  const lines = new Set(texts.flatMap((text) => text.split('\n').map((line) => line.trim())));
  return dropInLines(needs).every((line) => lines.has(line));
}

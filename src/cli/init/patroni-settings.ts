import { ConfigError } from '../../errors.js';
import { isLoopback } from '../../network/loopback.js';
import { type PatroniTimings, timingsInForce } from '../../patroni/timings-in-force.js';
import { type Dcs, dcsOf } from './dcs-settings.js';
import { type Endpoint, endpointIn, isHost, isWildcard } from './endpoints.js';
import { isSection } from './patroni-environment.js';
import type { Section } from './python-yaml.js';

/** What patroniglue's configuration needs to know of a Patroni. It holds no password and no other secret. */
export interface PatroniSettings {
  readonly name: string;
  readonly api: ApiSettings;
  /** Timings of `bootstrap.dcs`: the DCS may have others by now. `undefined` if Patroni would refuse them. */
  readonly timings: PatroniTimings | undefined;
  /** True if `bootstrap.dcs` has a timing. Without it, Patroni uses its defaults. */
  readonly hasTimings: boolean;
  readonly dcs: Dcs;
  /** What the names of the cluster's keys begin with in the DCS: `/service/main`. */
  readonly key: string;
  /** Where PostgreSQL of this node answers. `undefined` if patroni.yml does not say it. */
  readonly postgres: Endpoint | undefined;
  /** Where clients reach PostgreSQL of this node. */
  readonly postgresForClients: Endpoint | undefined;
}

/** Patroni's REST API (`restapi` and `ctl` in patroni.yml). */
export interface ApiSettings {
  readonly listen: Endpoint;
  /** What the other members of the cluster use. `undefined` if it is not there, or no address. */
  readonly connect: Endpoint | undefined;
  readonly https: boolean;
  /** The file with the CA that Patroni's own clients trust. */
  readonly cafile: string | undefined;
  /** Patroni's own clients do not check the API's certificate. */
  readonly insecure: boolean;
  /** The API refuses clients without a certificate. */
  readonly wantsCertificate: boolean;
  /** With what the API checks its clients. `undefined` if it does not check them. */
  readonly verifiesClients: ClientCheck | undefined;
  /** Only some hosts may change the cluster. */
  readonly hasAllowlist: boolean;
  /** The client certificate of Patroni's own clients. */
  readonly client: ClientPair | undefined;
}

/** HTTPS with client certificates: `verify_client`, `certfile`, `keyfile`, `cafile` and `ciphers` of `restapi`. */
interface ClientCheck {
  readonly verifyClient: string;
  readonly certfile: string;
  readonly keyfile: string;
  readonly cafile: string;
  readonly ciphers: string | undefined;
}

/** A client certificate with its key. */
interface ClientPair {
  readonly certfile: string;
  readonly keyfile: string;
  /** The key has a passphrase, which patroniglue reads from a file. */
  readonly hasPassphrase: boolean;
}

/** Patroni from this version on adjusts timings that break its rule. */
const ADJUSTS_TIMINGS = '3.2.0';

/**
 * Reads Patroni's local configuration. Unknown keys and wrong values of keys that patroniglue can do without are ignored.
 *
 * @param file for messages
 * @throws ConfigError that names all missing keys without which no configuration can be made
 */
export function settingsOf(file: string, config: Section): PatroniSettings {
  const restapi = sectionIn(config, 'restapi');
  const postgresql = sectionIn(config, 'postgresql');
  const name = textIn(config, 'name') ?? textIn(postgresql, 'name');
  const scope = textIn(config, 'scope');
  const listen = listenIn(restapi);
  if (name === undefined || scope === undefined || listen === undefined) {
    const missing = [
      ...(scope === undefined ? ['scope (a text)'] : []),
      ...(name === undefined ? ['name (a text)'] : []),
      ...(listen === undefined ? ['restapi.listen (host and port)'] : []),
    ];
    const message =
      `missing: ${missing.join(', ')}. If Patroni has them in its environment (PATRONI_SCOPE, PATRONI_NAME, ` +
      'PATRONI_RESTAPI_LISTEN), run --init with the same variables';
    throw new ConfigError(file, [{ line: 1, column: 1, message }]);
  }
  const dynamic = sectionIn(sectionIn(config, 'bootstrap'), 'dcs');
  return {
    name,
    api: apiOf(restapi, sectionIn(config, 'ctl'), listen),
    timings: timingsInForce(timingsOnly(dynamic), ADJUSTS_TIMINGS),
    hasTimings: Object.keys(timingsOnly(dynamic)).length > 0,
    dcs: dcsOf(config),
    key: keyOf(textIn(config, 'namespace') ?? 'service', scope, config['citus']),
    postgres: localPostgres(postgresql),
    postgresForClients: usable(endpointIn(textIn(postgresql, 'connect_address') ?? '', POSTGRES_PORT)),
  };
}

/** Where the API listens: Patroni itself needs a port here, too. */
function listenIn(restapi: Section): Endpoint | undefined {
  const listen = endpointIn(textIn(restapi, 'listen') ?? '');
  return listen !== undefined && (isHost(listen.host) || isWildcard(listen.host)) ? listen : undefined;
}

function apiOf(restapi: Section, ctl: Section, listen: Endpoint): ApiSettings {
  const https = textIn(restapi, 'certfile') !== undefined;
  const certfile = textIn(ctl, 'certfile');
  return {
    listen,
    connect: usable(endpointIn(textIn(restapi, 'connect_address') ?? '', listen.port)),
    https,
    cafile: textIn(ctl, 'cacert') ?? textIn(restapi, 'cafile'),
    insecure: isOn(ctl['insecure']),
    wantsCertificate: https && textIn(restapi, 'verify_client')?.toLowerCase() === 'required',
    verifiesClients: clientCheckIn(restapi),
    hasAllowlist: isOn(restapi['allowlist']) || isOn(restapi['allowlist_include_members']),
    client: certfile === undefined ? undefined : clientPair(certfile, ctl),
  };
}

/** Patroni takes the words in any case (`reload_config` in `patroni/api.py`), and needs the CA. */
function clientCheckIn(restapi: Section): ClientCheck | undefined {
  const verifyClient = textIn(restapi, 'verify_client')?.toLowerCase() ?? '';
  const [certfile, cafile] = [textIn(restapi, 'certfile'), textIn(restapi, 'cafile')];
  if (!['optional', 'required'].includes(verifyClient) || certfile === undefined || cafile === undefined)
    return undefined;
  const keyfile = textIn(restapi, 'keyfile') ?? certfile;
  return { verifyClient, certfile, keyfile, cafile, ciphers: textIn(restapi, 'ciphers') };
}

function clientPair(certfile: string, ctl: Section): ClientPair {
  const hasPassphrase = ctl['keyfile_password'] !== undefined && ctl['keyfile_password'] !== null;
  return { certfile, keyfile: textIn(ctl, 'keyfile') ?? certfile, hasPassphrase };
}

const POSTGRES_PORT = 5432;

/** Where Patroni itself reaches PostgreSQL over TCP (`_get_tcp_local_address` in `patroni/postgresql/config.py`). */
function localPostgres(postgresql: Section): Endpoint | undefined {
  const listen = endpointIn(textIn(postgresql, 'listen') ?? '', POSTGRES_PORT);
  if (listen === undefined || textIn(postgresql, 'listen') === undefined) {
    return usable(endpointIn(textIn(postgresql, 'connect_address') ?? '', POSTGRES_PORT));
  }
  const hosts = listen.host.split(',').map((host) => host.trim().replace(/^\[|\]$/g, ''));
  const isHere = hosts.some((host) => isWildcard(host) || ['localhost', '127.0.0.1'].includes(host.toLowerCase()));
  return usable({ host: isHere ? 'localhost' : (hosts[0] ?? ''), port: listen.port });
}

/**
 * The path of the cluster's keys (`AbstractDCS.__init__` and `client_path` in `patroni/dcs/__init__.py`). With Citus, the
 * group follows the scope, if the section has group and database.
 */
function keyOf(namespace: string, scope: string, citus: unknown): string {
  const path = `/${namespace}/${scope}`.replace(/\/+/g, '/').replace(/\/$/, '');
  if (!isSection(citus) || typeof citus['database'] !== 'string' || !Number.isInteger(citus['group'])) return path;
  return `${path}/${String(citus['group'])}`;
}

function timingsOnly(dynamic: Section): Section {
  return Object.fromEntries(
    Object.entries(dynamic).filter(([key]) => ['ttl', 'loop_wait', 'retry_timeout'].includes(key)),
  );
}

/** An endpoint with a host that names one machine. */
function usable(endpoint: Endpoint | undefined): Endpoint | undefined {
  return endpoint !== undefined && isHost(endpoint.host) && !isWildcard(endpoint.host) ? endpoint : undefined;
}

/** The address at which a program on the same host reaches an API that listens there. */
export function hostFromHere({ host }: Endpoint): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  return isWildcard(host) ? 'localhost' : host;
}

/** The address of this node for other machines. `undefined` if patroni.yml has none. */
export function hostFromElsewhere({ connect, listen }: ApiSettings): string | undefined {
  if (connect !== undefined) return isLoopback(connect.host) ? undefined : connect.host;
  return isWildcard(listen.host) || isLoopback(listen.host) ? undefined : listen.host;
}

/** The text of a key. `undefined` if the value is no text, or an empty one. */
function textIn(section: Section, key: string): string | undefined {
  const value = section[key];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function sectionIn(section: Section, key: string): Section {
  const value = section[key];
  return isSection(value) ? value : {};
}

/** True for a value that is true in Python. */
function isOn(value: unknown): boolean {
  return value !== undefined && value !== null && value !== false && value !== 0 && value !== '';
}

import { authority } from '../../network/authority.js';
import { type Endpoint, endpointIn, isHost } from './endpoints.js';
import { isSection } from './patroni-environment.js';
import type { Section } from './python-yaml.js';

/** The DCS of a Patroni. */
export type Dcs =
  | Etcd3Settings
  /** A DCS that patroniglue does not ask. */
  | { readonly kind: 'other'; readonly name: Other }
  /** patroni.yml has no DCS. */
  | { readonly kind: 'none' };

/** `etcd3` in patroni.yml. The password itself is not here. */
export interface Etcd3Settings {
  readonly kind: 'etcd3';
  /** None is here twice. Empty if patroni.yml has no host, or only hosts that DNS SRV records name. */
  readonly hosts: readonly Endpoint[];
  /** The domain whose DNS SRV records name the hosts. */
  readonly srv: string | undefined;
  /** The hosts are proxies of etcd, and not etcd itself. */
  readonly isProxy: boolean;
  readonly https: boolean;
  readonly cafile: string | undefined;
  readonly client: { readonly certfile: string; readonly keyfile: string } | undefined;
  /** The user with which Patroni logs in. Patroni does so only if it has a password as well. */
  readonly username: string | undefined;
  /** Where the service reads the password of that user. */
  readonly passwordFile: string;
}

type Other = 'consul' | 'etcd' | 'exhibitor' | 'kubernetes' | 'raft' | 'zookeeper';

/** In Patroni's order: it uses the first one that is there (`iter_classes` in `patroni/dynamic_loader.py`). */
const NAMES = ['consul', 'etcd', 'etcd3', 'exhibitor', 'kubernetes', 'raft', 'zookeeper'] as const;

const CLIENT_PORT = 2379;

/** Where the operator puts the password for etcd: patroniglue copies none. */
export const PASSWORD_FILE = '/etc/patroniglue/etcd-password';

/** The DCS that Patroni uses with a configuration (`get_dcs` in `patroni/dcs/__init__.py`). */
export function dcsOf(config: Section): Dcs {
  const name = NAMES.find((known) => Object.hasOwn(config, known));
  if (name === undefined) return { kind: 'none' };
  if (name !== 'etcd3') return { kind: 'other', name };
  const section = config['etcd3'];
  return etcd3Of(isSection(section) ? section : {});
}

/** Which hosts count, and with which scheme: `get_etcd_client` in `patroni/dcs/etcd.py`. */
function etcd3Of(section: Section): Etcd3Settings {
  const text = (key: string): string | undefined => {
    const value = section[key];
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const proxy = text('proxy');
  const url = proxy ?? text('url');
  const srv = text('srv') ?? text('discovery_srv') ?? text('srv_domain');
  const written = url === undefined ? hostsIn(section) : [url];
  const scheme = schemeIn(written[0] ?? '') ?? text('protocol')?.toLowerCase();
  const certfile = text('cert');
  const login = url === undefined ? undefined : loginIn(url);
  const username = login?.username ?? text('username');
  const hasPassword = login?.hasPassword ?? text('password') !== undefined;
  return {
    kind: 'etcd3',
    hosts: url === undefined && srv !== undefined ? [] : endpointsIn(written, section),
    srv: url === undefined ? srv : undefined,
    isProxy: proxy !== undefined || section['use_proxies'] === true,
    https: scheme === 'https',
    cafile: text('cacert'),
    client: certfile === undefined ? undefined : { certfile, keyfile: text('key') ?? certfile },
    username: hasPassword ? username : undefined,
    passwordFile: PASSWORD_FILE,
  };
}

/** `hosts` counts before `host`. Both may be texts with commas. */
function hostsIn({ hosts, host }: Section): readonly string[] {
  if (Array.isArray(hosts)) return hosts.filter((item): item is string => typeof item === 'string');
  if (typeof hosts === 'string') return hosts.split(',');
  return typeof host === 'string' ? [host] : [];
}

/** In `hosts`, the key `port` is for hosts without a port. For `host`, it counts before the port of the host. */
function endpointsIn(written: readonly string[], section: Section): readonly Endpoint[] {
  const number = Number(section['port'] ?? NaN);
  const port = Number.isInteger(number) && number > 0 && number <= 65_535 ? number : undefined;
  const isOne = section['hosts'] === undefined && section['url'] === undefined && section['proxy'] === undefined;
  const endpoints = written
    .flatMap((text) => endpointIn(text, port ?? CLIENT_PORT) ?? [])
    .map((one) => (isOne ? { ...one, port: port ?? one.port } : one))
    .filter(({ host }) => isHost(host));
  const names = endpoints.map(({ host, port: itsPort }) => authority(host.toLowerCase(), itsPort));
  return endpoints.filter((_, at) => names.indexOf(names[at] ?? '') === at);
}

function schemeIn(text: string): string | undefined {
  return /^\s*(https?):\/\//i.exec(text)?.[1]?.toLowerCase();
}

/** The user in a URL, and whether a password follows. Without it, Patroni does not log in. */
function loginIn(url: string): { readonly username: string; readonly hasPassword: boolean } | undefined {
  const [, username, password] = /^\s*[a-z]+:\/\/([^:@/]+)(?::([^@]*))?@/i.exec(url) ?? [];
  if (username === undefined) return undefined;
  return { username: decoded(username), hasPassword: password !== undefined && password !== '' };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

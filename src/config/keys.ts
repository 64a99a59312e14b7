/**
 * What the value of a key may be. `checks.ts` reads each kind, `types.ts` has its type, and `scripts/generate` describes it
 * for people.
 */
export type Kind =
  /**
   * A name or an address. `empty` is the problem that an empty text causes. Without `empty`, an empty text counts as absent.
   */
  | { readonly kind: 'host'; readonly empty?: string }
  /** Hosts with their ports, at least one. `port` is the port of a host that is written without one. */
  | { readonly kind: 'endpoints'; readonly port: number }
  /** One host with its port, or the word `none`. */
  | { readonly kind: 'endpoint or none'; readonly port: number }
  /** `min` and `max` are allowed. */
  | { readonly kind: 'whole number'; readonly min: number; readonly max: number }
  /** A time in seconds, with fractions. The configuration has milliseconds. `zero` is the problem that 0 causes. */
  | { readonly kind: 'seconds'; readonly min: number; readonly max: number; readonly zero?: string }
  | { readonly kind: 'boolean' }
  /** One of these, in upper or lower case. */
  | { readonly kind: 'word'; readonly words: readonly [string, ...string[]] }
  /** The path of a PEM file. The field `contents` has the text of the file. */
  | { readonly kind: 'file'; readonly contents: 'cert' | 'key' | 'ca' }
  /** The path of a file with a password. The field `contents` has the password. No message shows either of the two. */
  | { readonly kind: 'password file'; readonly contents: 'password' }
  | { readonly kind: 'text' }
  /** What the names of several keys in a DCS begin with. */
  | { readonly kind: 'key prefix' }
  | { readonly kind: 'log line' }
  | { readonly kind: 'TLS version' }
  | { readonly kind: 'ciphers' }
  | { readonly kind: 'route' }
  | { readonly kind: 'routes' }
  /** `empty` is the problem that a key without a value causes. Without `empty`, such a key counts as absent. */
  | { readonly kind: 'networks'; readonly empty?: string };

/** A protocol version as Node's `minVersion` spells it. */
export type TlsVersion = 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';

/** A value as the file has it, also in the example. */
export type Plain = string | number | boolean | readonly string[];

/** What holds if the file does not have the key. */
type Default =
  /** This value, as the file would have it. `inWords` describes it for people. */
  | { readonly default: Plain; readonly inWords?: string }
  /** A value that follows from other keys, in words. `times.ts` computes the times, and `parse.ts` computes `agent.host`. */
  | { readonly follows: string }
  /** No value. The words say what that means. The configuration does not have the field. */
  | { readonly absent: string }
  /** The section needs the key. If it is missing, the problem says that one must write this. */
  | { readonly required: string };

/** Everything about a key. */
export type Key = Kind &
  Default & {
    /** Its name in the file. */
    readonly name: string;
    /**
     * What it is for, in sentences for people. The example, the schema and the documentation have these sentences. Code is
     * in backticks.
     */
    readonly about: string;
    /** The field is in `tls` (`config.backend.tls`), not among the other fields of the section. */
    readonly group?: 'tls';
    /** The value in the example. Without it, the example has the default. */
    readonly example?: Plain;
    /** Values that an editor suggests. */
    readonly suggestions?: readonly Plain[];
    /** The example has the key in use, and not commented out. */
    readonly inUse?: true;
  };

/** The sections of the file, and what each is for. `a.b` is a section `b` in the section `a`. */
export const sections = {
  frontend: "Where patroniglue answers HAProxy's health checks.",
  backend: "Patroni's REST API.",
  agent:
    "Answers to HAProxy's agent checks (`agent-check`, `agent-port`). Standbys then show as MAINT, and not as DOWN. " +
    "patroniglue answers agent checks only if `port` is set. HAProxy's side is in examples/haproxy-agent.cfg.",
  cache: 'How long patroniglue repeats an answer, and how often it polls Patroni.',
  log: 'What patroniglue writes to its standard output.',
  witness:
    'Whom patroniglue asks while Patroni does not answer: the etcd cluster that has the leader key, and PostgreSQL. A 200 ' +
    "then lasts through a freeze of Patroni's API, as long as the leader key cannot expire. Without this section, " +
    'patroniglue asks only Patroni.',
  'witness.etcd3':
    'The etcd cluster in which Patroni has its keys (`etcd3` in patroni.yml). patroniglue only reads them.',
} as const;

/** From 10 ms to a day. Node's timers overflow at 24.8 days, and then fire at once. */
const time = { kind: 'seconds', min: 0.01, max: 86_400 } as const;

/** A file beside each `keyfile`. */
const keyPassword = {
  name: 'keyfile-password-file',
  group: 'tls',
  kind: 'password file',
  contents: 'password',
  absent: 'none (the key has no passphrase)',
} as const;

/** Left empty, such a list would open the port to everybody: its last line may have been commented out. */
const accessList = {
  kind: 'networks',
  empty: 'has no value: name who may ask, write [] for this host alone, or remove the key for everybody',
  absent: 'everybody',
} as const;

const listeningPort = { kind: 'whole number', min: 0, max: 65_535 } as const;

/**
 * Every key of config.yml, by section and by its field in the configuration. A new key is one entry here, and the line that
 * uses it. `npm run generate` then writes the example, the schema and the reference.
 */
export const keys = {
  frontend: {
    host: {
      name: 'host',
      kind: 'host',
      // With an empty host, the Go program listened on all addresses. But an empty host may be a mistake.
      empty: 'must not be empty; write 0.0.0.0 or "::" for all addresses, or leave the key out for localhost',
      default: 'localhost',
      about:
        'Name or address to listen on. patroniglue listens on all addresses of a name. `0.0.0.0` or `"::"` (in quotes) ' +
        'stands for all addresses of the machine. Only this host can reach `localhost`. If HAProxy runs on another host, ' +
        'as in examples/haproxy.cfg, write the address that HAProxy checks.',
      suggestions: ['localhost', '0.0.0.0', '::'],
      inUse: true,
    },
    port: {
      name: 'port',
      ...listeningPort,
      default: 80,
      about:
        'TCP port. 0 takes any free port. The example has 8009, because port 80 needs root, and Patroni itself has 8008.',
      example: 8009,
      inUse: true,
    },
    certfile: {
      name: 'certfile',
      group: 'tls',
      kind: 'file',
      contents: 'cert',
      absent: 'none (HTTP)',
      about:
        'HTTPS: PEM file with the certificate, and its chain after it. Give `keyfile` as well, or neither. A relative path ' +
        'starts from the directory in which patroniglue was started.',
      example: '/etc/patroniglue/server.pem',
    },
    keyfile: {
      name: 'keyfile',
      group: 'tls',
      kind: 'file',
      contents: 'key',
      absent: 'none (HTTP)',
      about: 'HTTPS: PEM file with the private key. Give `certfile` as well, or neither.',
      example: '/etc/patroniglue/server.key',
    },
    keyfilePasswordFile: {
      ...keyPassword,
      about:
        'HTTPS: file with the passphrase of the private key, in one line. Let only root read it, and give the service a copy (docs/install.md).',
      example: '/etc/patroniglue/server-key-password',
    },
    cafile: {
      name: 'cafile',
      group: 'tls',
      kind: 'file',
      contents: 'ca',
      absent: 'none',
      about:
        'HTTPS: PEM file of the CA that signs the certificates of clients. Has an effect only with `verify-client`.',
      example: '/etc/patroniglue/client-ca.pem',
    },
    verifyClient: {
      name: 'verify-client',
      group: 'tls',
      kind: 'word',
      words: ['none', 'optional', 'required'],
      default: 'none',
      about:
        'HTTPS: which requests need a client certificate that `cafile` has signed, as `restapi.verify_client` of Patroni. ' +
        '`required`: all, and patroniglue refuses other clients in the handshake. `optional`: only `POST /-/refresh` and ' +
        'the pages for people and monitoring (`/patroni`, `/cluster`, `/history`, `/config`, `/metrics`, `/-/metrics`, ' +
        '`/-/status`); other clients get 403 there. `none`: none.',
      example: 'optional',
    },
    minVersion: {
      name: 'tls-min-version',
      group: 'tls',
      kind: 'TLS version',
      default: 'TLSv1.2',
      about:
        'HTTPS: lowest TLS version for clients: `SSLv3.0`, `TLSv1.0`, `TLSv1.1`, `TLSv1.2` or `TLSv1.3`. ' +
        '`SSLv3.0` means TLSv1.0: OpenSSL no longer has SSLv3.',
    },
    ciphers: {
      name: 'tls-ciphers',
      group: 'tls',
      kind: 'ciphers',
      absent: 'those of Node.js',
      about:
        "HTTPS: list of ciphers for clients, best first. Use IANA's names or OpenSSL's. Or one cipher string of OpenSSL, as " +
        "Patroni's `restapi.ciphers`: `ECDHE+AESGCM:!aNULL`.",
      example: ['TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384', 'TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384'],
    },
    logFormat: {
      name: 'logformat',
      kind: 'log line',
      default: '%a - %m %U',
      about:
        'Line in the log for each request, with `--verbose`: `%a` is the client address, `%m` the method, ' +
        '`%U` the URI, `%s` the status, `%D` the microseconds taken, and `%%` a percent sign.',
    },
    status: {
      name: 'status',
      kind: 'boolean',
      default: true,
      about:
        'A status page for people at `/-/status`, and the same facts as JSON at `/-/status.json`. `false` turns both off.',
    },
    allow: {
      name: 'allow',
      ...accessList,
      about:
        'List of addresses and networks that may ask, besides this host: health checks and agent checks, with every route ' +
        'and page. patroniglue ends the connections of all other clients before it reads anything.',
      example: ['10.0.0.0/24'],
    },
    allowPages: {
      name: 'allow-pages',
      ...accessList,
      about:
        'List of addresses and networks that may see the pages for people and monitoring, besides this host: `/patroni`, ' +
        '`/cluster`, `/history`, `/config`, `/metrics`, `/-/metrics` and `/-/status`. Other clients get 403.',
      example: ['10.0.0.20'],
    },
    refreshFrom: {
      name: 'refresh-from',
      kind: 'networks',
      default: [],
      inWords: 'none (only this host)',
      about:
        'List of addresses and networks that may send `POST /-/refresh`, besides this host. patroniglue then polls Patroni ' +
        'at once.',
      example: ['10.0.0.0/24'],
    },
    proxyProtocol: {
      name: 'proxy-protocol',
      kind: 'boolean',
      default: false,
      about:
        "`true`: each connection must begin with a PROXY protocol header, version 1 or 2 (HAProxy's `check-send-proxy`, " +
        '`send-proxy-v2`). patroniglue takes the client from this header. patroniglue refuses connections without a header, ' +
        'also those of Prometheus, a browser or a probe.',
    },
  },
  backend: {
    host: {
      name: 'host',
      kind: 'host',
      default: 'localhost',
      about: 'Name or address, as in `restapi.connect_address` of Patroni.',
      inUse: true,
    },
    port: {
      name: 'port',
      kind: 'whole number',
      min: 1,
      max: 65_535,
      default: 8008,
      about: 'TCP port of the API.',
      inUse: true,
    },
    scheme: {
      name: 'scheme',
      kind: 'word',
      words: ['http', 'https'],
      default: 'http',
      about: 'Protocol of the API: `http` or `https`.',
      inUse: true,
    },
    insecure: {
      name: 'insecure',
      group: 'tls',
      kind: 'boolean',
      default: false,
      about: "With https: `true` skips the check of Patroni's certificate. For tests only.",
    },
    servername: {
      name: 'servername',
      group: 'tls',
      kind: 'host',
      absent: '`host`',
      about:
        "With https: the name or the address in Patroni's certificate, if that is not `host`. Example: patroniglue asks on " +
        "loopback, and the certificate has the node's name. patroniglue also sends a name to Patroni (SNI).",
      example: 'node1.example.org',
    },
    cafile: {
      name: 'cafile',
      group: 'tls',
      kind: 'file',
      contents: 'ca',
      absent: 'none (the CAs that Node.js trusts)',
      about: "With https: PEM file of the CA that signed Patroni's certificate.",
      example: '/etc/patroniglue/ca.pem',
    },
    certfile: {
      name: 'certfile',
      group: 'tls',
      kind: 'file',
      contents: 'cert',
      absent: 'none',
      about:
        'With https: PEM file with a client certificate. Patroni wants one if its `restapi.verify_client` is `required`. ' +
        'Give `keyfile` as well, or neither.',
      example: '/etc/patroniglue/client.pem',
    },
    keyfile: {
      name: 'keyfile',
      group: 'tls',
      kind: 'file',
      contents: 'key',
      absent: 'none',
      about:
        'With https: PEM file with the private key of the client certificate. Give `certfile` as well, or neither.',
      example: '/etc/patroniglue/client.key',
    },
    keyfilePasswordFile: {
      ...keyPassword,
      about:
        'With https: file with the passphrase of the private key, in one line. Let only root read it, and give the service a copy (docs/install.md).',
      example: '/etc/patroniglue/client-key-password',
    },
    timeoutMs: {
      name: 'timeout',
      ...time,
      follows: 'half of `cache.ttl`, or of `cache.slow-ttl` if that is less',
      about:
        'Longest time for a poll, from its start to the last byte of the answer. A poll that takes longer has failed. ' +
        'Must be less than `cache.ttl` and `cache.slow-ttl`.',
    },
    routes: {
      name: 'routes',
      kind: 'routes',
      default: ['/primary', '/master', '/replica', '/read-write', '/read-only'], // as the Go program
      about:
        'Routes that patroniglue polls from the start, with their queries (`/replica?lag=10MB`). Name here what load ' +
        'balancers check.',
    },
  },
  agent: {
    host: { name: 'host', kind: 'host', follows: '`frontend.host`', about: 'Name or address to listen on.' },
    port: {
      name: 'port',
      ...listeningPort,
      absent: 'none (patroniglue answers no agent checks)',
      about: 'TCP port. 0 takes any free port.',
      example: 8010,
    },
    route: {
      name: 'route',
      kind: 'route',
      default: '/primary',
      about:
        'Route for agent checks that send nothing. A check with `agent-send "/replica\\n"` gets `/replica` instead. ' +
        'patroniglue polls this route from the start.',
    },
    standby: {
      name: 'standby',
      kind: 'word',
      words: ['maint', 'drain', 'down'],
      default: 'maint',
      about:
        'State of a server in HAProxy when Patroni answers no for it: `maint` (no new clients, no HTTP checks, shown as ' +
        'MAINT), `drain` (no new clients) or `down`.',
    },
    waitMs: {
      name: 'wait',
      ...time,
      max: 5, // HAProxy itself gives up after agent-inter, 2 s by default
      default: 0.5,
      about:
        'How long patroniglue waits for a check to send its route. After this time, patroniglue treats the check like a ' +
        "check that sends nothing. Write less than HAProxy's `timeout check`, and more than the 0.2 s after which Linux " +
        'sends a lost packet again.',
    },
  },
  cache: {
    ttlMs: {
      name: 'ttl',
      ...time,
      zero:
        '0 is not possible: patroniglue answers only from its cache. (In the Go program, 0 meant no cache.) ' +
        'Write a time, such as 4',
      default: 4,
      about:
        'How long patroniglue repeats an answer of Patroni, counted from the start of its poll. After that, patroniglue ' +
        'answers 503, unless a witness answers. With a longer `ttl`, patroniglue absorbs longer freezes, but notices a ' +
        "lost primary later. With Patroni's own settings, `cache.ttl` should be at most `ttl - loop_wait - retry_timeout` " +
        "(10 with Patroni's defaults).",
      inUse: true,
    },
    intervalMs: {
      name: 'interval',
      ...time,
      follows: '1, or a quarter of `ttl` if that is less',
      about: 'Time from poll to poll of a route. Must be less than `ttl`.',
      inUse: true,
    },
    slowTtlMs: {
      name: 'slow-ttl',
      ...time,
      follows: '15, or `ttl` if that is more',
      about:
        'The `ttl` of `/patroni`, `/cluster`, `/history`, `/config` and `/metrics`, which people and monitoring read.',
    },
    slowIntervalMs: {
      name: 'slow-interval',
      ...time,
      follows: '5, or a third of `slow-ttl` if that is less',
      about: 'The `interval` of the same routes. Must be less than `slow-ttl`.',
    },
    learn: {
      name: 'learn',
      kind: 'whole number',
      min: 0,
      max: 1000,
      default: 16,
      about:
        'How many other routes patroniglue may learn: routes that it polls because somebody asks for them, such as ' +
        '`/replica?lag=10MB`. It forgets a route after fifteen minutes in which nobody asks for it. With `0` it learns none, ' +
        'and answers 404 to them.',
    },
    leaseGuard: {
      name: 'lease-guard',
      kind: 'boolean',
      default: true,
      about:
        '`true`: patroniglue ends a 200 that depends on the leader key (`/primary`, `/leader`, ...) before this key can ' +
        'expire, so before another node can be promoted. It ends the 200 at the latest when Patroni has not reached its ' +
        'DCS for its own `loop_wait + retry_timeout` (20 s by default).',
    },
  },
  log: {
    format: {
      name: 'format',
      kind: 'word',
      words: ['text', 'json'],
      default: 'text',
      about: '`text` for people, `json` for machines. `json` writes one object per line.',
    },
  },
  witness: {
    key: {
      name: 'key',
      kind: 'key prefix',
      required: 'namespace and scope of patroni.yml, such as /service/main',
      about:
        'Where the keys of the cluster are in etcd: `namespace` and `scope` of patroni.yml, as in `/service/main`. With Citus, ' +
        'the group follows: `/service/main/0`.',
      example: '/service/main',
    },
    name: {
      name: 'name',
      kind: 'text',
      absent: 'the name that Patroni tells (3.2 or later)',
      about:
        'Name of this node: `name` in patroni.yml. Write it if Patroni is older than 3.2. Write it also if patroniglue must ' +
        'be able to ask the witness when it starts during a freeze.',
      example: 'node1',
    },
    postgres: {
      name: 'postgres',
      kind: 'endpoint or none',
      port: 5432,
      default: 'localhost:5432',
      about:
        'Host and port of the PostgreSQL of this node. It must accept connections, or else patroniglue answers 503 in place ' +
        'of Patroni. `none`: patroniglue does not ask PostgreSQL.',
      suggestions: ['localhost:5432', 'none'],
    },
  },
  'witness.etcd3': {
    hosts: {
      name: 'hosts',
      kind: 'endpoints',
      port: 2379,
      required: 'a list of the hosts of etcd with their client ports, such as [10.0.0.11:2379, 10.0.0.12:2379]',
      about:
        'List of the hosts of etcd with their client ports, as in `etcd3.hosts` of patroni.yml: at most 16. Without a port: ' +
        '2379. An IPv6 address needs brackets and quotes: `"[fd00::1]:2379"`. patroniglue asks no other host of etcd.',
      example: ['10.0.0.11:2379', '10.0.0.12:2379', '10.0.0.13:2379'],
    },
    scheme: {
      name: 'scheme',
      kind: 'word',
      words: ['http', 'https'],
      default: 'http',
      about:
        "Protocol of etcd: `http` or `https`. With http, anybody in between can answer in etcd's place, and can read the " +
        'password.',
      example: 'https',
    },
    insecure: {
      name: 'insecure',
      group: 'tls',
      kind: 'boolean',
      default: false,
      about: "With https: `true` skips the check of etcd's certificate. For tests only.",
    },
    cafile: {
      name: 'cafile',
      group: 'tls',
      kind: 'file',
      contents: 'ca',
      absent: 'none (the CAs that Node.js trusts)',
      about: "With https: PEM file of the CA that signed etcd's certificate.",
      example: '/etc/patroniglue/etcd-ca.pem',
    },
    certfile: {
      name: 'certfile',
      group: 'tls',
      kind: 'file',
      contents: 'cert',
      absent: 'none',
      about:
        'With https: PEM file with a client certificate. etcd wants one if it runs with `--client-cert-auth`. Give `keyfile` ' +
        'as well, or neither. The certificate does not log in as a user: etcd ignores its name (CN) in requests over HTTP. ' +
        'If etcd has authentication, give `username` and `password-file` as well.',
      example: '/etc/patroniglue/etcd-client.pem',
    },
    keyfile: {
      name: 'keyfile',
      group: 'tls',
      kind: 'file',
      contents: 'key',
      absent: 'none',
      about:
        'With https: PEM file with the private key of the client certificate. Give `certfile` as well, or neither.',
      example: '/etc/patroniglue/etcd-client.key',
    },
    keyfilePasswordFile: {
      ...keyPassword,
      about:
        'With https: file with the passphrase of the private key, in one line. Let only root read it, and give the service a copy (docs/install.md).',
      example: '/etc/patroniglue/etcd-client-key-password',
    },
    username: {
      name: 'username',
      kind: 'text',
      absent: 'none (patroniglue does not log in)',
      about:
        'User of etcd, if etcd has authentication. A role that may read the keys under `witness.key` is enough. Give ' +
        '`password-file` as well, or neither.',
      example: 'patroniglue',
    },
    passwordFile: {
      name: 'password-file',
      kind: 'password file',
      contents: 'password',
      absent: 'none',
      about:
        'File with the password of this user, in one line. Let only root read it, and give the service a copy (docs/install.md). Give `username` as ' +
        'well, or neither.',
      example: '/etc/patroniglue/etcd-password',
    },
  },
} as const satisfies Record<keyof typeof sections, Record<string, Key>>;

/** A key with its section, its field in the configuration, and its name for people: `cache.ttl`, `witness.etcd3.hosts`. */
export interface ListedKey {
  readonly section: keyof typeof keys;
  readonly field: string;
  readonly path: string;
  readonly key: Key;
}

/** Whether a file that has the section must have some key in it. */
export function hasRequiredKey(section: keyof typeof keys): boolean {
  return Object.values<Key>(keys[section]).some((key) => 'required' in key);
}

/** The sections in the order of the table. A section comes before its subsections. */
export const sectionNames = Object.keys(sections) as readonly (keyof typeof sections)[];

/** A section in another one, or in the file: `witness.etcd3`, and `etcd3`, its name there. */
export interface Subsection {
  readonly section: keyof typeof sections;
  readonly name: string;
}

/** The sections that are directly in another one; those of the file itself if there is no `parent`. */
export function subsectionsOf(parent?: keyof typeof sections): readonly Subsection[] {
  const prefix = parent === undefined ? '' : `${parent}.`;
  return sectionNames
    .filter((section) => section.startsWith(prefix))
    .map((section) => ({ section, name: section.slice(prefix.length) }))
    .filter(({ name }) => !name.includes('.'));
}

/** The table as a list, in its order. */
export const allKeys: readonly ListedKey[] = sectionNames.flatMap((section) => {
  return Object.entries<Key>(keys[section]).map(([field, key]) => ({
    section,
    field,
    path: `${section}.${key.name}`,
    key,
  }));
});

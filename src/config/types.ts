import type { TlsVersion, keys } from './keys.js';

export type { TlsVersion } from './keys.js';

type Table = typeof keys;

/** The name of a section. */
export type SectionName = keyof Table;

/** The type of the value of each kind. For the kind `word`, {@link ValueOf} has the exact words. */
export interface ValueOfKind {
  /** IPv6 addresses have no brackets. */
  readonly host: string;
  readonly endpoints: readonly Endpoint[];
  readonly 'endpoint or none': Endpoint | 'none';
  readonly 'whole number': number;
  /** Milliseconds. */
  readonly seconds: number;
  readonly boolean: boolean;
  readonly word: string;
  /** A path, as written. */
  readonly file: string;
  readonly 'password file': string;
  readonly text: string;
  /** One slash at its start, none at its end. */
  readonly 'key prefix': string;
  readonly 'log line': string;
  readonly 'TLS version': TlsVersion;
  /** OpenSSL names and `@SECLEVEL=n`, or a cipher string of OpenSSL. */
  readonly ciphers: readonly string[] | string;
  /** As written. */
  readonly route: string;
  /** As written; at least one. */
  readonly routes: readonly string[];
  readonly networks: readonly Network[];
}

/** The type of the value of a key. */
export type ValueOf<K> = K extends { kind: 'word'; words: readonly (infer Word)[] }
  ? Word
  : K extends { kind: infer Name extends keyof ValueOfKind }
    ? ValueOfKind[Name]
    : never;

/** The fields of a section whose keys have a property of the table: `absent`, `follows`, `group`. */
type With<S, Property extends string> = { [F in keyof S]: S[F] extends Record<Property, string> ? F : never }[keyof S];

/** Some fields of a section with their values. */
type Values<S, F extends keyof S> = { readonly [Field in F]: ValueOf<S[Field]> };

/** The same, where a field without a default may be absent. */
type Settings<S, F extends keyof S> = Values<S, Exclude<F, With<S, 'absent'>>> &
  Partial<Values<S, Extract<F, With<S, 'absent'>>>>;

/** The fields of a section, without its TLS fields. */
export type SectionConfig<N extends SectionName> = Settings<Table[N], Exclude<keyof Table[N], With<Table[N], 'group'>>>;

/** The fields of a section whose defaults follow from other keys. */
export type Following<N extends SectionName> = Values<Table[N], With<Table[N], 'follows'>>;

/** The TLS fields of a section. */
export type TlsConfig<N extends SectionName> = Settings<Table[N], With<Table[N], 'group'>>;

/** The configuration, checked and frozen. Durations are in milliseconds. What each field is for: `keys.ts`. */
export interface Config {
  readonly frontend: SectionConfig<'frontend'> & {
    /** Absent for plain HTTP. */
    readonly tls?: FrontendTls;
  };
  readonly backend: SectionConfig<'backend'> & {
    /** Used only with https. With http, it has no files. */
    readonly tls: ClientTls<'backend'>;
  };
  readonly agent: AgentConfig;
  readonly cache: SectionConfig<'cache'>;
  readonly log: SectionConfig<'log'>;
  /** Absent if the file has no section `witness`: patroniglue then asks only Patroni. */
  readonly witness?: WitnessConfig;
  /** What does not stop the start: one line for each warning, with its position: `config.yml:12:13: backend.insecure: ...`. */
  readonly warnings: readonly string[];
}

/** HAProxy's agent checks (`agent-check` in its manual). Without a port, patroniglue answers none. */
export type AgentConfig = SectionConfig<'agent'>;

/** HTTPS at the front end. */
export type FrontendTls = TlsConfig<'frontend'> &
  KeyPair & {
    /** PEM text of `cafile`. Present whenever `verifyClient` is not `none`. */
    readonly ca?: string;
  };

/** HTTPS towards a server that patroniglue asks. */
export type ClientTls<N extends SectionName> = TlsConfig<N> &
  Partial<KeyPair> & {
    /** PEM text of `cafile`. */
    readonly ca?: string;
  };

/** Whom patroniglue asks while Patroni does not answer. `name` is absent if Patroni has to tell it. */
export type WitnessConfig = Omit<SectionConfig<'witness'>, 'postgres'> & {
  readonly etcd3: Etcd3Config;
  /** The PostgreSQL that must accept connections. Absent: patroniglue does not ask it. */
  readonly postgres?: Endpoint;
};

/** An etcd cluster, and how to log in to it. `username` and `password` are both there, or neither is. */
export type Etcd3Config = Omit<SectionConfig<'witness.etcd3'>, 'passwordFile'> & {
  /** Used only with https. With http, it has no files. */
  readonly tls: ClientTls<'witness.etcd3'>;
  /** The content of `password-file`. Secret: no message, no log line and no page may have it. */
  readonly password?: string;
};

/** Where to connect. An IPv6 address has no brackets. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** A certificate and its key: paths as written, and PEM texts. */
export interface KeyPair {
  readonly certfile: string;
  readonly keyfile: string;
  /** PEM text: the certificate, and after it those of the chain. */
  readonly cert: string;
  /** PEM text, without its passphrase. */
  readonly key: string;
}

/** A network: the two parts of the CIDR notation. */
export interface Network {
  readonly address: string;
  readonly prefix: number;
}

/** A configuration, and the texts from which it was read. */
export interface LoadedConfig {
  readonly config: Config;
  /** The configuration file, and its text. `undefined`: the environment alone. */
  readonly file: string | undefined;
  readonly text: string;
  /** Its `PATRONIGLUE_*` variables are in place of keys of the file. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The PEM files that it names. */
  readonly files: ReadonlyMap<string, FileText>;
}

/** The text of a file, or why it cannot be read. */
export type FileText =
  { readonly kind: 'read'; readonly text: string } | { readonly kind: 'unreadable'; readonly error: unknown };

/** The result of reading the configuration again. */
export type Reload =
  | { readonly kind: 'accepted'; readonly before: LoadedConfig; readonly after: LoadedConfig }
  | { readonly kind: 'refused'; readonly cause: unknown }
  /** There was no request to reload, and the PEM files have not changed. */
  | { readonly kind: 'unchanged' };

import type { TlsVersion, keys } from './keys.js';

export type { TlsVersion } from './keys.js';

type Table = typeof keys;

/** The name of a section. */
export type SectionName = keyof Table;

/** What a value of each kind becomes. Of the kind `word`, it is one of its words. */
export interface ValueOfKind {
  /** An IPv6 address is without brackets. */
  readonly host: string;
  readonly 'whole number': number;
  /** Milliseconds. */
  readonly seconds: number;
  readonly boolean: boolean;
  readonly word: string;
  /** A path, as written. */
  readonly file: string;
  readonly 'log line': string;
  readonly 'TLS version': TlsVersion;
  /** OpenSSL names and `@SECLEVEL=n`. */
  readonly ciphers: readonly string[];
  /** As written. */
  readonly route: string;
  /** As written; at least one. */
  readonly routes: readonly string[];
  readonly networks: readonly Network[];
}

/** What the value of a key becomes. */
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

/** The fields of a section, without those of TLS. */
export type SectionConfig<N extends SectionName> = Settings<Table[N], Exclude<keyof Table[N], With<Table[N], 'group'>>>;

/** The fields of a section whose defaults follow from other keys. */
export type Following<N extends SectionName> = Values<Table[N], With<Table[N], 'follows'>>;

/** The fields of TLS of a section. */
export type TlsConfig<N extends SectionName> = Settings<Table[N], With<Table[N], 'group'>>;

/** The configuration, checked and frozen. Durations are in milliseconds. What each field is for: `keys.ts`. */
export interface Config {
  readonly frontend: SectionConfig<'frontend'> & {
    /** Absent for plain HTTP. */
    readonly tls?: FrontendTls;
  };
  readonly backend: SectionConfig<'backend'> & {
    /** Of use for https alone; with http it holds no files. */
    readonly tls: BackendTls;
  };
  readonly agent: AgentConfig;
  readonly cache: SectionConfig<'cache'>;
  readonly log: SectionConfig<'log'>;
  /** What does not stop the start, a line each with its place: `config.yml:12:13: backend.insecure: ...`. */
  readonly warnings: readonly string[];
}

/** Answers to HAProxy's agent checks (`agent-check` in its manual). Without a port, none are answered. */
export type AgentConfig = SectionConfig<'agent'>;

/** HTTPS at the front end. */
export type FrontendTls = TlsConfig<'frontend'> & KeyPair;

/** HTTPS towards Patroni. */
export type BackendTls = TlsConfig<'backend'> &
  Partial<KeyPair> & {
    /** PEM text of `cafile`. */
    readonly ca?: string;
  };

/** A certificate and its key: paths as written, and PEM texts. */
export interface KeyPair {
  readonly certfile: string;
  readonly keyfile: string;
  /** PEM text: the certificate, and after it those of the chain. */
  readonly cert: string;
  /** PEM text, not encrypted. */
  readonly key: string;
}

/** A network in CIDR notation, taken apart. */
export interface Network {
  readonly address: string;
  readonly prefix: number;
}

/** A configuration, and the texts from which it was read. */
export interface LoadedConfig {
  readonly config: Config;
  /** The configuration file, and its text. */
  readonly file: string;
  readonly text: string;
  /** The PEM files that it names. */
  readonly files: ReadonlyMap<string, FileText>;
}

/** What is in a file, or why it cannot be read. */
export type FileText =
  { readonly kind: 'read'; readonly text: string } | { readonly kind: 'unreadable'; readonly error: unknown };

/** What became of a configuration that was to be taken over. */
export type Reload =
  | { readonly kind: 'accepted'; readonly before: LoadedConfig; readonly after: LoadedConfig }
  | { readonly kind: 'refused'; readonly cause: unknown }
  /** Nobody asked, and nothing has changed. */
  | { readonly kind: 'unchanged' };

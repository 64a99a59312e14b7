/** The configuration, checked and frozen. Durations are in milliseconds. See config.yml.example. */
export interface Config {
  readonly frontend: {
    /** A name or an address; an IPv6 address is without brackets. */
    readonly host: string;
    /** 0 to 65535; 0 takes any free port. */
    readonly port: number;
    /** Absent for plain HTTP. */
    readonly tls?: FrontendTls;
    readonly logFormat: string;
    /** The status pages are served. */
    readonly status: boolean;
    /** Who may ask for polls at once, besides this host. */
    readonly refreshFrom: readonly Network[];
    /** Each connection begins with a PROXY header. */
    readonly proxyProtocol: boolean;
  };
  readonly backend: {
    readonly host: string;
    /** 1 to 65535. */
    readonly port: number;
    readonly scheme: 'http' | 'https';
    /** Of use for https alone; with http it holds no files. */
    readonly tls: BackendTls;
    /** Hard deadline of a poll, from send to last byte. */
    readonly timeoutMs: number;
    /** Prefetched routes, as written; at least one. That of `agent` is prefetched as well. */
    readonly routes: readonly string[];
  };
  readonly agent: AgentConfig;
  readonly cache: {
    readonly ttlMs: number;
    readonly intervalMs: number;
    readonly slowTtlMs: number;
    readonly slowIntervalMs: number;
    /** How many routes may be learned. */
    readonly learn: number;
    /** A 200 that rests on the leader key does not count for longer than that surely lasts. */
    readonly leaseGuard: boolean;
  };
  readonly log: { readonly format: 'text' | 'json' };
  /** What does not stop the start, a line each with its place: `config.yml:12:13: backend.insecure: ...`. */
  readonly warnings: readonly string[];
}

/** HTTPS at the front end. */
export interface FrontendTls extends KeyPair {
  readonly minVersion: TlsVersion;
  /** OpenSSL names and `@SECLEVEL=n`; absent for the runtime's list. */
  readonly ciphers?: readonly string[];
}

/** HTTPS towards Patroni. Files as written in the configuration, and their PEM texts. */
export interface BackendTls extends Partial<KeyPair> {
  /** Certificates are not checked. */
  readonly insecure: boolean;
  /** The name or address that the certificate must have, where that is not `host`. */
  readonly servername?: string;
  readonly cafile?: string;
  readonly ca?: string;
}

/** Answers to HAProxy's agent checks (`agent-check` in its manual). */
export interface AgentConfig {
  readonly host: string;
  /** 0 takes any free port. Absent where no agent checks are answered. */
  readonly port?: number;
  /** What a check asks that says nothing, as written. */
  readonly route: string;
  /** What becomes of a server whose answer is fresh and no 200. */
  readonly standby: 'maint' | 'drain' | 'down';
  /** How long a check has time to say what it asks. */
  readonly waitMs: number;
}

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

/** A protocol version as Node's `minVersion` spells it. */
export type TlsVersion = 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';

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

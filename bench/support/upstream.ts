import { type Child, startChild } from '../../test/support/processes/child.js';

/** What the upstream can be told to do with its connections; in the order of issue and report. */
export type BehaviourName =
  | 'healthy'
  | 'silent'
  | 'half headers'
  | 'drip'
  | 'reset'
  | 'refused'
  | 'garbage'
  | '100 MB body'
  | 'redirect'
  | 'status 500'
  | 'status 503'
  | 'stalled TLS handshake';

/** What the upstream process is told. */
export type UpstreamOrder =
  | { readonly kind: 'start'; readonly port: number; readonly tls?: { readonly cert: string; readonly key: string } }
  | { readonly kind: 'behave'; readonly behaviour: BehaviourName }
  | { readonly kind: 'report'; readonly sinceMs: number };

/** A connection that asked for something, by the shared clock; `closedMs` is missing while it is open. */
export interface UpstreamConnection {
  readonly route: string;
  readonly askedMs: number;
  closedMs?: number;
}

/** What the upstream has seen of the connections that were open at any time since a moment. */
export interface UpstreamReport {
  readonly port: number;
  /** The moment of this report. */
  readonly atMs: number;
  readonly connections: readonly UpstreamConnection[];
}

/** The scripted Patroni in a process of its own, so that it can be stopped, and takes nothing from the load generator. */
export interface BenchUpstream {
  readonly port: number;
  /** Resolves, with the moment, when it is so. */
  behave(behaviour: BehaviourName): Promise<number>;
  connectionsSince(sinceMs: number): Promise<readonly UpstreamConnection[]>;
  /** SIGSTOP: accepts in the kernel, and says nothing. */
  freeze(): void;
  thaw(): void;
  close(): Promise<void>;
}

/**
 * Starts a healthy upstream, at any free port unless one is given. The body of each 200 says when the upstream was asked: see
 * `askedMs` in test/support/clients/checks-process.ts.
 */
export async function startBenchUpstream(
  tls?: { readonly cert: string; readonly key: string },
  wantedPort = 0,
): Promise<BenchUpstream> {
  const child: Child<UpstreamOrder, UpstreamReport> = await startChild(
    new URL('./upstream-process.js', import.meta.url),
  );
  const { port } = await child.ask({ kind: 'start', port: wantedPort, ...(tls && { tls }) });
  return {
    port,
    behave: async (behaviour) => (await child.ask({ kind: 'behave', behaviour })).atMs,
    connectionsSince: async (sinceMs) => (await child.ask({ kind: 'report', sinceMs })).connections,
    freeze: () => {
      child.signal('SIGSTOP');
    },
    thaw: () => {
      child.signal('SIGCONT');
    },
    close: () => child.close(),
  };
}

/**
 * The most of `connections` that were open at once. A moment at the end of each does not count: the upstream learns of
 * an end and of the next beginning in one turn of its event loop, and not always in their order.
 */
export function mostAtOnce(connections: readonly UpstreamConnection[]): number {
  const graceMs = 5;
  const openWith = (latest: UpstreamConnection): number =>
    connections.filter(
      ({ askedMs, closedMs = Infinity }) => askedMs <= latest.askedMs && latest.askedMs < closedMs - graceMs,
    ).length;
  // one that was over within the moment was open, too
  return Math.max(0, ...connections.map((latest) => Math.max(1, openWith(latest))));
}

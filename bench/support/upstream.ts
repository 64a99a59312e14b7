import { type Child, startChild } from '../../test/support/processes/child.js';

/** How the upstream can treat its connections. */
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

/** An order to the upstream process. */
export type UpstreamOrder =
  | { readonly kind: 'start'; readonly port: number; readonly tls?: { readonly cert: string; readonly key: string } }
  | { readonly kind: 'behave'; readonly behaviour: BehaviourName }
  | { readonly kind: 'report'; readonly sinceMs: number };

/** A connection that sent a request. Times are of the shared clock. `closedMs` is missing while the connection is open. */
export interface UpstreamConnection {
  readonly route: string;
  readonly askedMs: number;
  closedMs?: number;
}

/** The connections that were open at any time since a moment. */
export interface UpstreamReport {
  readonly port: number;
  /** The moment of this report. */
  readonly atMs: number;
  readonly connections: readonly UpstreamConnection[];
}

/** The scripted Patroni in its own process: the bench can stop it, and it does not slow the load generator. */
export interface BenchUpstream {
  readonly port: number;
  /** Resolves with the moment from which the upstream behaves like this. */
  behave(behaviour: BehaviourName): Promise<number>;
  connectionsSince(sinceMs: number): Promise<readonly UpstreamConnection[]>;
  /** SIGSTOP: the kernel still accepts connections, but the upstream sends nothing. */
  freeze(): void;
  thaw(): void;
  close(): Promise<void>;
}

/**
 * Starts a healthy upstream, at any free port unless one is given. The body of each 200 has the moment of its request: see
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
 * The largest number of `connections` that were open at the same time. The last few milliseconds of each do not count: the
 * upstream may learn of an end and of the next beginning in one turn of its event loop, and in the wrong order.
 */
export function mostAtOnce(connections: readonly UpstreamConnection[]): number {
  const graceMs = 5;
  const openWith = (latest: UpstreamConnection): number =>
    connections.filter(
      ({ askedMs, closedMs = Infinity }) => askedMs <= latest.askedMs && latest.askedMs < closedMs - graceMs,
    ).length;
  // a connection that was shorter than these milliseconds was open, too
  return Math.max(0, ...connections.map((latest) => Math.max(1, openWith(latest))));
}

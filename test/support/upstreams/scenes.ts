import { spawnSync } from 'node:child_process';
import { constants } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { SecureVersion } from 'node:tls';
import { type FullListener, fillAcceptQueue } from './accept-queue.js';
import type { Certificates } from '../certificates.js';
import { type HandshakeRelay, createHandshakeRelay } from './handshake-relay.js';
import { type NameServer, startNameServer } from './name-server.js';
import { freePort } from '../processes/ports.js';
import { filesOf, openFiles } from '../measuring/proc.js';
import { type Service, startService } from '../processes/service.js';
import { type Behaviour, type Upstream, answering, dated, startUpstream } from './upstream.js';
import { always, eventually } from '../time/wait.js';
import { createWorkspace } from '../processes/workspace.js';

/** The times of every scene's service, in milliseconds. */
export const TTL_MS = 1200;
export const INTERVAL_MS = 150;
export const TIMEOUT_MS = 700;

/** A service and the upstream that it polls, which can be made to fail, and to be healthy again. */
export interface Scene {
  readonly service: Service;
  /** The canonical routes that are polled. */
  readonly routes: readonly string[];
  /** The files that the service has open while nothing happens. */
  readonly filesAtRest: number;
  /** From the next request on. */
  behave(behaviour: Behaviour): void;
  /** All requests that have come to the upstream and their most connections at once: in all, and for a route. */
  seen(): { readonly requests: readonly string[]; readonly most: number; readonly mostOfRoute: number };
  /** Undoes whatever was done; from then on every poll is answered with 200. */
  heal(): void | Promise<void>;
  close(): Promise<void>;
}

/** By plain HTTP. */
export interface PlainScene extends Scene {
  /** No process listens at the port any more. */
  refuse(): Promise<void>;
  /** The accept queue is full: the kernel answers no SYN. */
  fillQueue(): Promise<void>;
}

/** A scene for the faults of TCP and HTTP. */
export function createPlainScene(): Promise<PlainScene> {
  return closable(buildPlainScene);
}

async function buildPlainScene(onClose: OnClose): Promise<Open<PlainScene>> {
  const port = await freePort();
  let upstream: Upstream | undefined;
  let queue: { readonly listener: FullListener; readonly watch: NodeJS.Timeout } | undefined;
  let seen: ReturnType<Scene['seen']> = { requests: [], most: 0, mostOfRoute: 0 };
  const closeUpstream = async (): Promise<void> => {
    if (upstream) seen = merged(seen, upstream);
    await upstream?.close();
    upstream = undefined;
  };
  const emptyQueue = (): void => {
    clearInterval(queue?.watch);
    queue?.listener.close();
    queue = undefined;
  };
  onClose(closeUpstream);
  onClose(emptyQueue);
  upstream = await healthyUpstream({ port });
  const started = await startAtRest(onClose, { host: '127.0.0.1', port });
  return {
    ...started,
    behave: (behaviour) => upstream?.behave(behaviour),
    seen: () => (upstream ? merged(seen, upstream) : seen),
    refuse: closeUpstream,
    async fillQueue() {
      await closeUpstream();
      const watch = setInterval(() => {
        seen = { ...seen, most: Math.max(seen.most, socketsTo(port, started.service)) };
      }, 200); // rarely: the kernel's table is that of the whole machine
      queue = { watch, listener: await fillAcceptQueue(port) };
    },
    async heal() {
      emptyQueue();
      upstream ??= await eventually('the port is free again', 5000, () => healthyUpstream({ port }));
      upstream.behave(dated);
      upstream.cut(); // what hung is never answered
    },
  };
}

/** By HTTPS, with a client certificate; one route, since before a handshake's end nobody knows which is asked for. */
export interface TlsScene extends Scene {
  /** Where the upstream's side of the handshake ends, from the next connection on. */
  readonly cut: HandshakeRelay['cut'];
  /** What is said instead of a handshake, from the next connection on. */
  instead(behaviour: Behaviour): void;
}

/** A scene for the faults of TLS, in this version of it. */
export function createTlsScene(maxVersion: SecureVersion, certificates: Certificates): Promise<TlsScene> {
  return closable((onClose) => buildTlsScene(maxVersion, certificates, onClose));
}

async function buildTlsScene(
  maxVersion: SecureVersion,
  { ca, server, client }: Certificates,
  onClose: OnClose,
): Promise<Open<TlsScene>> {
  const pem = (file: string): string => readFileSync(file, 'utf8');
  const secureOptions = constants.SSL_OP_NO_TICKET; // no session is resumed: each handshake is a whole one
  const pair = { cert: pem(server.cert), key: pem(server.key), ca: pem(ca.cert) };
  const tls = { ...pair, requestCert: true, maxVersion, secureOptions };
  const upstream = await healthyUpstream({ tls });
  onClose(() => upstream.close());
  const relay = createHandshakeRelay(upstream.port);
  let instead: Behaviour | undefined;
  const entrance = await startUpstream({
    onConnection: (socket, head) => {
      (instead ?? relay.behaviour)(socket, head);
    },
  });
  onClose(() => entrance.close());
  const backend = { scheme: 'https', host: '127.0.0.1', port: entrance.port, routes: ['/primary'] };
  const files = { cafile: ca.cert, certfile: client.cert, keyfile: client.key };
  const started = await startAtRest(onClose, { ...backend, ...files });
  return {
    ...started,
    behave: (behaviour) => {
      upstream.behave(behaviour);
    },
    seen: () => ({ ...upstream.connections, requests: upstream.requests, most: entrance.connections.most }),
    cut: (where) => {
      relay.cut(where);
    },
    instead: (behaviour) => {
      instead = behaviour;
    },
    heal() {
      instead = undefined;
      relay.cut(undefined);
      upstream.behave(dated);
      entrance.cut();
    },
  };
}

/** By a name that is looked up. */
export interface NamedScene extends Scene {
  readonly say: NameServer['say'];
}

/** Other addresses for the name of the scene: one at which another upstream listens on the same port, and one without any. */
export const ELSEWHERE = '127.9.9.2';
export const NOBODY = '127.9.9.3';

const NAMED = '127.9.9.1';

/** Each scene's name server has an address of its own: it must be at port 53. */
let nameServers = 10;

/** How long the C library waits for a name server: a look-up cannot be aborted. */
const RESOLVER_MS = 1000;

/** Why this machine can have no named scene: a resolv.conf for one process takes a mount namespace, and root. */
export const withoutNames: string | false =
  spawnSync('unshare', ['-m', 'true']).status !== 0 && 'no mount namespaces here (run as root, with CAP_SYS_ADMIN)';

/** A scene for the faults of name look-up, with the C library's own resolver. */
export function createNamedScene(): Promise<NamedScene> {
  return closable(buildNamedScene);
}

async function buildNamedScene(onClose: OnClose): Promise<Open<NamedScene>> {
  const workspace = await createWorkspace();
  onClose(() => workspace.close());
  nameServers += 1;
  const address = `127.9.9.${nameServers}`;
  const resolvConf = `nameserver ${address}\noptions timeout:${RESOLVER_MS / 1000} attempts:1\n`;
  const mounts = [
    ['/etc/resolv.conf', await workspace.write('resolv.conf', resolvConf)],
    ['/etc/nsswitch.conf', await workspace.write('nsswitch.conf', 'hosts: files dns\n')],
  ].map(([file = '', own = '']) => `if [ -e ${file} ]; then mount --bind ${own} ${file} || exit 1; fi`);
  const under = ['unshare', '-m', 'sh', '-c', [...mounts, 'exec "$@"'].join('\n'), 'sh'];
  const port = await freePort();
  const nameServer = await startNameServer(address, NAMED);
  onClose(() => nameServer.close());
  const upstream = await healthyUpstream({ host: NAMED, port });
  onClose(() => upstream.close());
  const elsewhere = await startUpstream({ host: ELSEWHERE, port });
  onClose(() => elsewhere.close());
  elsewhere.behave(answering(500));
  const started = await startAtRest(onClose, { host: 'patroni.example.test', port }, under);
  return {
    ...started,
    behave: (behaviour) => {
      upstream.behave(behaviour);
    },
    seen: () => ({ ...upstream.connections, requests: upstream.requests }),
    say: (answer) => {
      nameServer.say(answer);
    },
    heal() {
      nameServer.say(NAMED);
      upstream.behave(dated);
      upstream.cut();
    },
  };
}

/** What must be undone, the last first, when a scene is closed or could not be built. */
type OnClose = (close: () => void | Promise<void>) => void;

type Open<S extends Scene> = Omit<S, 'close'>;

async function closable<S extends Scene>(build: (onClose: OnClose) => Promise<Open<S>>): Promise<S> {
  const closings: (() => void | Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const undo of closings.splice(0).reverse()) await undo();
  };
  try {
    return { ...(await build((undo) => closings.push(undo))), close } as unknown as S;
  } catch (error) {
    await close();
    throw error;
  }
}

async function healthyUpstream(options: Parameters<typeof startUpstream>[0]): Promise<Upstream> {
  const upstream = await startUpstream(options);
  upstream.behave(dated);
  return upstream;
}

function merged(
  seen: ReturnType<Scene['seen']>,
  { requests, connections: { most, mostOfRoute } }: Upstream,
): ReturnType<Scene['seen']> {
  return {
    requests: [...seen.requests, ...requests],
    most: Math.max(seen.most, most),
    mostOfRoute: Math.max(seen.mostOfRoute, mostOfRoute),
  };
}

/** Starts a service that polls `backend`; resolves when each route has its first answer. */
async function startAtRest(
  onClose: OnClose,
  backend: { readonly routes?: readonly string[] } & Readonly<Record<string, unknown>>,
  under: readonly string[] = [],
): Promise<Pick<Scene, 'service' | 'routes' | 'filesAtRest'>> {
  const cache = { ttl: TTL_MS / 1000, interval: INTERVAL_MS / 1000 };
  const config = { backend: { ...backend, timeout: TIMEOUT_MS / 1000 }, cache };
  const service = await startService({ config, flags: [], under });
  onClose(() => service.close());
  await eventually('the service is ready', 10_000, async () => (await service.get('/-/ready')).status === 200);
  let filesAtRest = Infinity;
  await always(
    'the service runs',
    2 * INTERVAL_MS,
    () => (filesAtRest = Math.min(filesAtRest, openFiles(service.pid))),
    10,
  );
  return { service, routes: backend.routes ?? ['/primary', '/replica', '/read-only'], filesAtRest };
}

/** How many connections to a port of 127.0.0.1 a service has or tries to make: the kernel knows before anybody accepts. */
function socketsTo(port: number, { pid }: Service): number {
  const remote = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const rows = readFileSync(`/proc/${pid}/net/tcp`, 'utf8').split('\n');
  const inodes = rows.map((row) => row.trim().split(/\s+/)).filter((fields) => fields[2] === remote);
  const own = new Set(filesOf(pid));
  return inodes.filter((fields) => own.has(`socket:[${fields[9] ?? ''}]`)).length;
}

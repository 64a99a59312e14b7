import { once } from 'node:events';
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { TlsOptions } from 'node:tls';
import type { Behaviour } from './upstream.js';

/** A request that a scripted etcd got. */
export interface EtcdRequest {
  readonly path: string;
  readonly authorization: string | undefined;
  readonly body: string;
}

/** A member of etcd that answers by its JSON gateway from what the test puts. It knows what patroniglue asks, and no more. */
export interface ScriptedEtcd {
  readonly port: number;
  readonly requests: readonly EtcdRequest[];
  /** Requests that are not answered yet: now, and the most that ever were. */
  readonly inFlight: { readonly now: number; readonly most: number };
  /** Puts a key, under a lease if an ID is given. */
  put(key: string, value: string, leaseId?: string): void;
  remove(key: string): void;
  /** A lease, in whole seconds. `remaining` absent: the lease is gone. */
  lease(id: string, granted: number, remaining?: number): void;
  /** From now on asks for this user; forgets all tokens. `mayRead` false: permission denied. */
  asksFor(user: { readonly name: string; readonly password: string; readonly mayRead?: boolean } | undefined): void;
  /** Each later request (for that path, if one is given) gets this instead of an answer; `undefined` ends that. */
  behave(behaviour: Behaviour | undefined, path?: string): void;
  /** Settles when no connection is open. */
  idle(): Promise<void>;
  close(): Promise<void>;
}

/** How to start a scripted etcd. */
export interface ScriptedEtcdOptions {
  readonly host?: string;
  readonly port?: number;
  readonly tls?: TlsOptions;
}

type Reply = readonly [status: number, body: object];

const DENIED = refusal(403, 7, 'etcdserver: permission denied');
const NO_USER = refusal(400, 3, 'etcdserver: user name is empty');
const WRONG_PASSWORD = refusal(400, 3, 'etcdserver: authentication failed, invalid user ID or password');
const STALE_TOKEN = refusal(401, 16, 'etcdserver: invalid auth token');
const NO_AUTHENTICATION = refusal(412, 9, 'etcdserver: authentication is not enabled');

/** Starts a scripted etcd on loopback. It has no keys and asks for no user. */
export async function startScriptedEtcd(options: ScriptedEtcdOptions = {}): Promise<ScriptedEtcd> {
  const { host = '127.0.0.1', port = 0, tls } = options;
  const requests: EtcdRequest[] = [];
  const keys = new Map<string, { readonly value: string; readonly lease?: string }>();
  const leases = new Map<string, object>();
  const tokens = new Set<string>();
  const open = new Set<Socket>();
  let user: { readonly name: string; readonly password: string; readonly mayRead?: boolean } | undefined;
  let behaviour: Behaviour | undefined;
  let misbehaves: string | undefined;
  let given = 0;
  let [now, most] = [0, 0];

  const authenticate = (body: Record<string, unknown>): Reply => {
    if (user === undefined) return NO_AUTHENTICATION;
    if (body['name'] !== user.name || body['password'] !== user.password) return WRONG_PASSWORD;
    given += 1;
    tokens.add(`token.${given}`);
    return [200, { token: `token.${given}` }];
  };
  const refusalOf = (authorization: string | undefined): Reply | undefined => {
    if (authorization !== undefined && !tokens.has(authorization)) return STALE_TOKEN;
    if (user !== undefined && authorization === undefined) return NO_USER;
    return user?.mayRead === false ? DENIED : undefined;
  };
  const range = (question: unknown): object => {
    const { key } = (question as { request_range: { key: string } }).request_range;
    const found = keys.get(Buffer.from(key, 'base64').toString());
    if (found === undefined) return { response_range: { header: { revision: '7' } } };
    const kv = { key, mod_revision: '7', ...found, value: Buffer.from(found.value).toString('base64') };
    return { response_range: { header: { revision: '7' }, kvs: [kv], count: '1' } };
  };
  const answer = ({ path, authorization, body }: EtcdRequest): Reply => {
    const question = JSON.parse(body) as Record<string, unknown>;
    if (path === '/v3/auth/authenticate') return authenticate(question);
    const refused = refusalOf(authorization);
    if (refused) return refused;
    if (path === '/v3/kv/txn') {
      return [200, { succeeded: true, responses: (question['success'] as unknown[]).map(range) }];
    }
    if (path !== '/v3/lease/timetolive') return [404, {}];
    const id = String(question['ID']);
    return [200, { ID: id, ...(leases.get(id) ?? { TTL: '-1' }) }];
  };
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    now += 1;
    most = Math.max(most, now);
    response.once('close', () => (now -= 1));
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += String(chunk);
    const asked = { path: request.url ?? '', authorization: request.headers.authorization, body };
    requests.push(asked);
    if (behaviour && asked.path === (misbehaves ?? asked.path)) {
      behaviour(request.socket, '');
      return;
    }
    const [status, reply] = answer(asked);
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(reply));
  };
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    serve(request, response).catch(() => response.destroy()); // the client has gone
  };
  const server = tls ? createTlsServer(tls, onRequest) : createServer(onRequest);
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.on('error', () => undefined).once('close', () => open.delete(socket));
  });
  server.listen(port, host);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    get inFlight() {
      return { now, most };
    },
    put(key, value, lease) {
      keys.set(key, { value, ...(lease !== undefined && { lease }) });
    },
    remove(key) {
      keys.delete(key);
    },
    lease(id, granted, remaining) {
      if (remaining === undefined) leases.delete(id);
      else leases.set(id, { ...(remaining !== 0 && { TTL: String(remaining) }), grantedTTL: String(granted) });
    },
    asksFor(next) {
      user = next;
      tokens.clear();
    },
    behave(next, path) {
      behaviour = next;
      misbehaves = path;
    },
    async idle() {
      await Promise.all([...open].map((socket) => new Promise((done) => socket.once('close', done))));
    },
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}

function refusal(status: number, code: number, message: string): Reply {
  return [status, { error: message, message, code }];
}

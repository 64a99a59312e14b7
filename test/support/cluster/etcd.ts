import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { readFileSync } from 'node:fs';
import { freePort } from '../processes/ports.js';
import type { Running } from '../processes/processes.js';
import type { Workspace } from '../processes/workspace.js';
import { eventually } from '../time/wait.js';
import type { CertificateFiles } from '../certificates.js';

/** A real etcd on loopback, of one or more members. */
export interface Etcd {
  readonly members: readonly EtcdMember[];
  /** Puts a question to the JSON gateway of the first member that runs; throws unless the status is 200. */
  ask(path: string, question: object, token?: string): Promise<Record<string, unknown>>;
  remove(key: string): Promise<void>;
  /** The member that leads now. */
  leader(): Promise<EtcdMember>;
  /** Puts a key, under a lease if an ID is given. */
  put(key: string, value: string, leaseId?: string): Promise<void>;
  /** Grants a lease for so many seconds; resolves with its ID. */
  grant(seconds: number): Promise<string>;
  /** Makes users and the role `reader`, which may read what is under `prefix`, and switches authentication on. */
  protect(prefix: string, users: readonly EtcdAccount[]): Promise<void>;
}

/** A member of a real etcd. */
export interface EtcdMember {
  readonly port: number;
  running(): Running;
  /** SIGSTOP: the kernel accepts connections at its port, and nobody answers them. */
  freeze(): void;
  thaw(): void;
  /** SIGKILL. */
  kill(): Promise<unknown>;
  /** Starts it again with its data, after its process has ended. */
  restart(): Promise<void>;
}

/** A user of etcd. */
export interface EtcdAccount {
  readonly name: string;
  readonly password: string;
  /** `reader`: see {@link Etcd.protect}. */
  readonly roles?: readonly string[];
}

/** How to start an etcd. */
export interface EtcdStart {
  readonly members?: number;
  /** Serves HTTPS, and wants a client certificate of this CA. `client` is what the tests' own questions show. */
  readonly tls?: { readonly ca: string; readonly server: CertificateFiles; readonly client: CertificateFiles };
}

/** The administrator that `protect` makes. */
const ROOT = { name: 'root', password: 'root' };

/** Starts an etcd in a workspace; resolves when it is healthy. */
export async function startEtcd(workspace: Workspace, program: string, options: EtcdStart = {}): Promise<Etcd> {
  const { members: count = 1, tls } = options;
  const scheme = tls ? 'https' : 'http';
  const url = (port: number, its = scheme): string => `${its}://127.0.0.1:${port}`;
  const ports: { readonly name: string; readonly client: number; readonly peer: number }[] = [];
  for (let index = 0; index < count; index += 1) {
    const name = index === 0 ? 'etcd' : `etcd${index + 1}`;
    ports.push({ name, client: await freePort(), peer: await freePort() });
  }
  const argumentsOf = ({ name, client, peer }: (typeof ports)[number]): readonly string[] =>
    Object.entries({
      name,
      'data-dir': workspace.path(name),
      'listen-client-urls': url(client),
      'advertise-client-urls': url(client),
      'listen-peer-urls': url(peer, 'http'),
      'initial-advertise-peer-urls': url(peer, 'http'),
      'initial-cluster': ports.map((other) => `${other.name}=${url(other.peer, 'http')}`).join(),
      ...(tls && {
        'cert-file': tls.server.cert,
        'key-file': tls.server.key,
        'trusted-ca-file': tls.ca,
        'client-cert-auth': 'true',
      }),
    }).map(([key, value]) => `--${key}=${value}`);
  const members = await Promise.all(
    ports.map(async (own) => {
      const start = (): Promise<Running> => workspace.start(own.name, program, argumentsOf(own));
      let running = await start();
      return {
        port: own.client,
        running: () => running,
        freeze: () => {
          running.signal('SIGSTOP');
        },
        thaw: () => {
          running.signal('SIGCONT');
        },
        kill: () => {
          running.signal('SIGKILL');
          return running.exit;
        },
        restart: async () => {
          running = await start();
          await healthy(own.client);
        },
      };
    }),
  );
  const send = (port: number, method: string, path: string, body = '', token?: string): Promise<[number, string]> => {
    const headers = { ...(token !== undefined && { Authorization: token }), Connection: 'close' };
    const files = tls && {
      ca: readFileSync(tls.ca),
      cert: readFileSync(tls.client.cert),
      key: readFileSync(tls.client.key),
    };
    return new Promise((resolve, reject) => {
      const request = (tls ? httpsRequest : httpRequest)(
        `${url(port)}${path}`,
        { method, headers, agent: false, timeout: 5000, ...files },
        (response) => {
          let text = '';
          response
            .setEncoding('utf8')
            .on('data', (chunk: string) => (text += chunk))
            .once('end', () => {
              resolve([response.statusCode ?? 0, text]);
            })
            .once('error', reject);
        },
      );
      request
        .once('error', reject)
        .once('timeout', () => request.destroy(new Error('no answer')))
        .end(body);
    });
  };
  const healthy = (port: number): Promise<unknown> =>
    eventually('etcd is healthy', 15_000, async () => (await send(port, 'GET', '/health'))[0] === 200);
  await Promise.all(members.map(({ port }) => healthy(port)));

  const etcd: Etcd = {
    members,
    ask: async (path, question, token) => {
      const member = members.find((one) => one.running().alive());
      const [status, text] = await send(member?.port ?? 0, 'POST', path, JSON.stringify(question), token);
      if (status !== 200) throw new Error(`${path}: ${status} ${text}`);
      return JSON.parse(text) as Record<string, unknown>;
    },
    remove: async (key) => {
      await etcd.ask('/v3/kv/deleterange', { key: base64(key) });
    },
    leader: () =>
      eventually('etcd has a leader', 15_000, async () => {
        for (const member of members) {
          const [code, text] = await send(member.port, 'POST', '/v3/maintenance/status', '{}').catch(() => [0, '{}']);
          const status = JSON.parse(String(text)) as { header?: { member_id?: string }; leader?: string };
          if (code === 200 && status.leader === status.header?.member_id) return member;
        }
        return undefined;
      }),
    put: async (key, value, leaseId) => {
      await etcd.ask('/v3/kv/put', {
        key: base64(key),
        value: base64(value),
        ...(leaseId !== undefined && { lease: leaseId }),
      });
    },
    grant: async (seconds) => String((await etcd.ask('/v3/lease/grant', { TTL: seconds }))['ID']),
    protect: async (prefix, users) => {
      const perm = { permType: 'READ', key: base64(prefix), range_end: base64(endOf(prefix)) };
      await etcd.ask('/v3/auth/role/add', { name: 'root' });
      await etcd.ask('/v3/auth/role/add', { name: 'reader' });
      await etcd.ask('/v3/auth/role/grant', { name: 'reader', perm });
      for (const { name, password, roles = [] } of [{ ...ROOT, roles: ['root'] }, ...users]) {
        await etcd.ask('/v3/auth/user/add', { name, password });
        for (const role of roles) await etcd.ask('/v3/auth/user/grant', { user: name, role });
      }
      await etcd.ask('/v3/auth/enable', {});
    },
  };
  return etcd;
}

/** The first text behind all those that begin with `prefix`. */
function endOf(prefix: string): string {
  return prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

import { setTimeout as sleep } from 'node:timers/promises';
import { findPrograms } from '../processes/programs.js';
import { createWorkspace } from '../processes/workspace.js';
import { eventually } from '../time/wait.js';
import { type Etcd, startEtcd } from './etcd.js';

/** A real etcd of one member that asks for a user and a password: `root`, `reader` and `elsewhere`, all with one password. */
export interface SecuredEtcd {
  readonly port: number;
  readonly password: string;
  /** Copies all keys under a prefix, without their leases. */
  copy(from: Etcd, prefix: string): Promise<void>;
  /** Puts a key under a lease of so many seconds, which is renewed each second until `close`. */
  holdLeader(key: string, name: string, ttlS: number): Promise<void>;
  /** Asks for a user from now on. `reader` may read what is under the prefix, `elsewhere` what is under another one. */
  enable(prefix: string): Promise<void>;
  /** Ends it and starts it again: it then knows no token that it gave. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

const PASSWORD = 'a password';

/** Starts it, without any key; it asks for no user yet. */
export async function startSecuredEtcd(): Promise<SecuredEtcd> {
  const programs = findPrograms();
  const workspace = await createWorkspace(programs.owner);
  const etcd = await startEtcd(workspace, programs.etcd);
  const [member] = etcd.members;
  if (member === undefined) throw new Error('etcd has no member');
  const { port } = member;
  let token: string | undefined;
  let isOpen = true;

  const post = async (path: string, body: object): Promise<Readonly<Record<string, unknown>>> => {
    const headers = token === undefined ? {} : { Authorization: token };
    const init = { method: 'POST', body: JSON.stringify(body), headers, signal: AbortSignal.timeout(2000) };
    const reply = await fetch(`http://127.0.0.1:${port}${path}`, init);
    const text = await reply.text();
    if (!reply.ok) throw new Error(`${path}: ${reply.status} ${text}`);
    return JSON.parse(text) as Record<string, unknown>;
  };
  const logIn = async (): Promise<void> => {
    token = undefined;
    const { token: given } = await post('/v3/auth/authenticate', { name: 'root', password: PASSWORD });
    token = String(given);
  };
  const keepAlive = async (id: string): Promise<void> => {
    while (isOpen) {
      await post('/v3/lease/keepalive', { ID: id }).catch(() => logIn().catch(() => undefined));
      await sleep(1000); // as Patroni does once in loop_wait
    }
  };
  return {
    port,
    password: PASSWORD,
    async copy(from, prefix) {
      const question = { key: base64(`${prefix}/`), range_end: base64(`${prefix}0`) }; // 0 is behind the slash
      const { kvs } = (await from.ask('/v3/kv/range', question)) as { kvs: readonly { key: string; value: string }[] };
      const { ID: lease } = await post('/v3/lease/grant', { TTL: 3600 });
      for (const { key, value } of kvs) await post('/v3/kv/put', { key, value, lease });
    },
    async holdLeader(key, name, ttlS) {
      const { ID: lease } = await post('/v3/lease/grant', { TTL: ttlS });
      await post('/v3/kv/put', { key: base64(key), value: base64(name), lease });
      void keepAlive(String(lease));
    },
    async enable(prefix) {
      for (const [user, place] of [
        ['reader', prefix],
        ['elsewhere', '/elsewhere'],
      ] as const) {
        const perm = { permType: 'READ', key: base64(`${place}/`), range_end: base64(`${place}0`) };
        await post('/v3/auth/role/add', { name: user });
        await post('/v3/auth/role/grant', { name: user, perm });
      }
      await post('/v3/auth/role/add', { name: 'root' });
      for (const user of ['root', 'reader', 'elsewhere']) {
        await post('/v3/auth/user/add', { name: user, password: PASSWORD });
        await post('/v3/auth/user/grant', { user, role: user });
      }
      await post('/v3/auth/enable', {});
      await logIn();
    },
    async restart() {
      await member.kill();
      await member.restart();
      await eventually('etcd gives a token again', 15_000, async () => {
        await logIn();
        return true;
      });
    },
    async close() {
      isOpen = false;
      await workspace.close();
    },
  };
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

import { ask } from '../clients/http-get.js';
import { freePort } from '../processes/ports.js';
import type { Running } from '../processes/processes.js';
import type { Programs } from '../processes/programs.js';
import { eventually } from '../time/wait.js';
import type { Workspace } from '../processes/workspace.js';

/** A real etcd cluster on loopback, as a DCS. */
export interface Etcd {
  readonly members: readonly EtcdMember[];
  /** Asks the JSON gateway of the first member that answers; rejects when etcd refuses. */
  post(path: string, body: object): Promise<Readonly<Record<string, unknown>>>;
  put(key: string, value: string): Promise<void>;
  remove(key: string): Promise<void>;
  /** The member that leads now. */
  leader(): Promise<EtcdMember>;
}

/** One member of it. */
export interface EtcdMember {
  readonly port: number;
  readonly pid: number;
  /** SIGSTOP: its port accepts connections (the kernel does) and says nothing. */
  freeze(): void;
  thaw(): void;
  /** SIGKILL. */
  kill(): Promise<unknown>;
  /** Starts it again after `kill`. */
  start(): Promise<void>;
}

/** Starts as many members as the options say; resolves when each is healthy. */
export async function startEtcd(
  workspace: Workspace,
  { etcd }: Programs,
  { etcds = 1 }: { readonly etcds?: number },
): Promise<Etcd> {
  const url = (port: number): string => `http://127.0.0.1:${port}`;
  const plans = await Promise.all(
    Array.from({ length: etcds }, async (_, index) => ({
      name: index === 0 ? 'etcd' : `etcd${index + 1}`,
      client: await freePort(),
      peer: await freePort(),
    })),
  );
  const initial = plans.map(({ name, peer }) => `${name}=${url(peer)}`).join(',');
  const members = plans.map(({ name, client, peer }): EtcdMember => {
    const args = {
      name,
      'data-dir': workspace.path(name),
      'listen-client-urls': url(client),
      'advertise-client-urls': url(client),
      'listen-peer-urls': url(peer),
      'initial-advertise-peer-urls': url(peer),
      'initial-cluster': initial,
    };
    let running: Running | undefined;
    const needed = (): Running => {
      if (running?.alive()) return running;
      throw new Error(`${name} is not running`);
    };
    return {
      port: client,
      get pid() {
        return needed().pid;
      },
      freeze: () => {
        needed().signal('SIGSTOP');
      },
      thaw: () => {
        needed().signal('SIGCONT');
      },
      kill: () => {
        const { exit } = needed();
        needed().signal('SIGKILL');
        return exit;
      },
      start: async () => {
        const flags = Object.entries(args).map(([flag, value]) => `--${flag}=${value}`);
        running = await workspace.start(name, etcd, flags);
      },
    };
  });
  await Promise.all(members.map((member) => member.start()));
  await eventually('etcd is healthy', 15_000, async () => {
    const replies = await Promise.all(members.map(({ port }) => ask(port, '/health')));
    return replies.every(({ status }) => status === 200);
  });
  const postTo = async ({ port }: EtcdMember, path: string, body: object): Promise<Record<string, unknown>> => {
    const init = { method: 'POST', body: JSON.stringify(body), signal: AbortSignal.timeout(2000) };
    const reply = await fetch(`${url(port)}${path}`, init);
    const text = await reply.text();
    if (!reply.ok) throw new Error(`${path}: ${reply.status} ${text}`);
    return JSON.parse(text) as Record<string, unknown>;
  };
  const post: Etcd['post'] = async (path, body) => {
    const causes: unknown[] = [];
    for (const member of members) {
      try {
        return await postTo(member, path, body);
      } catch (cause) {
        causes.push(cause);
      }
    }
    throw new AggregateError(causes, `no member of etcd answers ${path}`);
  };
  return {
    members,
    post,
    put: async (key, value) => {
      await post('/v3/kv/put', { key: base64(key), value: base64(value) });
    },
    remove: async (key) => {
      await post('/v3/kv/deleterange', { key: base64(key) });
    },
    leader: () =>
      eventually('etcd has a leader', 15_000, async () => {
        for (const member of members) {
          const status = await postTo(member, '/v3/maintenance/status', {}).catch(() => undefined);
          const { member_id: id } = (status?.['header'] ?? {}) as { member_id?: string };
          if (id !== undefined && id === status?.['leader']) return member;
        }
        return undefined;
      }),
  };
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

import { existsSync, readFileSync, readlinkSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { type Link, openLink } from '../upstreams/link.js';
import { ask, type AskOptions, type Reply } from '../clients/http-get.js';
import { patroniConfig, type NodeSettings } from './patroni-config.js';
import { freePort } from '../processes/ports.js';
import type { Exit, Running } from '../processes/processes.js';
import { eventually } from '../time/wait.js';

/** One Patroni with its PostgreSQL. */
export interface Node {
  readonly name: string;
  readonly restPort: number;
  readonly pgPort: number;
  /** Of the Patroni process; 0 while it is stopped. */
  readonly patroniPid: number;
  /** Its way to the DCS, and that of other nodes to its REST API; throws without `links`. */
  readonly links: { readonly dcs: Link; readonly peers: Link };
  /** SIGSTOP to Patroni alone: its REST API accepts connections (the kernel does) and says nothing. PostgreSQL goes on. */
  freeze(): void;
  /** SIGCONT. */
  thaw(): void;
  /** The HA loop stands still from now on, and the API answers: for a cluster that is `hangable`. Until the next start. */
  hang(): void;
  /** The API alone stands still, or goes on: it accepts no connection, the kernel does. For a cluster that is `hangable`. */
  toggleApi(): void;
  /** Stops Patroni as an operator would (SIGTERM): it stops PostgreSQL too, and hands over its leader key. */
  stop(): Promise<Exit>;
  /** Starts Patroni after `stop` or `kill`; resolves when its REST API answers. */
  start(): Promise<void>;
  /** Patroni alone ends (SIGKILL) and starts again; PostgreSQL goes on. Resolves when the REST API answers. */
  restart(): Promise<void>;
  /** SIGKILL to Patroni alone; PostgreSQL goes on. */
  kill(): Promise<Exit>;
  /** The machine is lost: SIGKILL to Patroni and to all of its PostgreSQL. */
  crash(): Promise<Exit>;
  /** Starts Patroni after `crash` as on another machine, with nothing of PostgreSQL's: it copies the primary's. */
  replace(): Promise<void>;
  /** Pauses the cluster's automatic failover and stops PostgreSQL under a Patroni that goes on; `cluster.resume()` ends it. */
  stopPostgres(): Promise<void>;
  /** One request to Patroni's REST API, directly. Never rejects. */
  rest(path: string, options?: Omit<AskOptions, 'tls'>): Promise<Reply>;
  /** What Patroni has logged. */
  log(): string;
}

type NodePlan = Omit<NodeSettings, 'name' | 'restPort' | 'pgPort' | 'dcsPorts' | 'peerPort'> & {
  readonly etcdPorts: readonly number[];
};

/** Makes a node that is not started yet. `nodes` are all of the cluster's, once they are made. */
export async function createNode(plan: NodePlan, nodes: readonly Node[]): Promise<Node> {
  const { workspace, programs, options } = plan;
  const name = `${options.namePrefix ?? 'node'}${plan.index + 1}`;
  const [restPort, pgPort] = [await freePort(), await freePort()];
  const links =
    options.links === true
      ? { dcs: await openLink(plan.etcdPorts[0] ?? 0), peers: await openLink(restPort) }
      : undefined;
  const dataDir = workspace.path(`${name}/data`);
  await workspace.mkdir(name);
  if (options.hangable) {
    await workspace.mkdir(HANG_DIR);
    await workspace.write(`${HANG_DIR}/sitecustomize.py`, HANG);
  }
  const config = await workspace.write(
    `${name}.yml`,
    stringify(
      patroniConfig({
        ...plan,
        name,
        restPort,
        pgPort,
        dcsPorts: links ? [links.dcs.port] : plan.etcdPorts,
        peerPort: links?.peers.port ?? restPort,
      }),
    ),
  );
  let patroni: Running | undefined;
  const needed = (): Running => {
    if (patroni?.alive()) return patroni;
    throw new Error(`${name}: Patroni is not running`);
  };

  const node: Node = {
    name,
    restPort,
    pgPort,
    get links() {
      if (!links) throw new Error(`${name}: the cluster was started without links`);
      return links;
    },
    get patroniPid() {
      return patroni?.alive() ? patroni.pid : 0;
    },
    freeze: () => {
      needed().signal('SIGSTOP');
    },
    thaw: () => {
      needed().signal('SIGCONT');
    },
    hang: () => {
      if (!plan.options.hangable) throw new Error(`${name}: the cluster was started without hangable`);
      needed().signal('SIGUSR2');
    },
    toggleApi: () => {
      if (!plan.options.hangable) throw new Error(`${name}: the cluster was started without hangable`);
      needed().signal('SIGUSR1');
    },
    stop: () => needed().stop(30_000),
    start: async () => {
      if (patroni?.alive()) throw new Error(`${name}: Patroni is running already`);
      const { command, args, env } = patroniCommand(plan);
      patroni = await workspace.start(name, command, [...args, config], env);
      await eventually(`${name}: Patroni's REST API answers`, 20_000, async () => {
        needed();
        return (await node.rest('/patroni')).kind === 'reply';
      });
    },
    kill: () => {
      const running = needed();
      running.signal('SIGKILL');
      return running.exit;
    },
    crash: async () => {
      const exit = node.kill();
      await eventually(`nothing is left of ${name}'s PostgreSQL`, 10_000, () => {
        const postgres = workspace.processes().filter((pid) => worksIn(pid, dataDir));
        for (const pid of postgres) endAtOnce(pid);
        return postgres.length === 0;
      });
      return exit;
    },
    replace: async () => {
      // From what is left, Patroni 3.0.2 does not find out in every case that it has to be rewound, and never starts.
      await rm(dataDir, { recursive: true, force: true });
      await node.start();
    },
    restart: async () => {
      await node.kill();
      await node.start();
    },
    stopPostgres: async () => {
      await setPause(nodes, true);
      // Patroni may be in the middle of a cycle, in which it fails to ask a PostgreSQL that was there before, and takes that
      // for a reason to restart it, paused or not. So that is stopped, too.
      await eventually(`${name}: Patroni leaves its PostgreSQL stopped`, 60_000, async () => {
        const postmaster = postmasterPid(dataDir);
        if (postmaster !== undefined) await stopUnseen(postmaster);
        const reply = await node.rest('/patroni');
        return reply.kind === 'reply' && reply.body.includes('"state": "stopped"');
      });
    },
    rest: (path, more = {}) => ask(restPort, path, { ...more, tls: options.tls }),
    log: () => patroni?.output() ?? '',
  };
  /** Stops PostgreSQL while Patroni is held, until the process is gone for good, zombie and all. */
  const stopUnseen = async (postmaster: string): Promise<void> => {
    node.freeze();
    try {
      await workspace.run('pg_ctl', join(programs.postgresBin, 'pg_ctl'), ['stop', '-m', 'fast', '-w', '-D', dataDir]);
      await eventually(`process ${postmaster} is gone`, 10_000, () => !existsSync(`/proc/${postmaster}`));
    } finally {
      node.thaw();
    }
  };
  return node;
}

/** Of the PostgreSQL that runs on the data directory, if there is one. */
function postmasterPid(dataDir: string): string | undefined {
  try {
    return readFileSync(join(dataDir, 'postmaster.pid'), 'utf8').split('\n')[0];
  } catch {
    return undefined; // it removes the file when it ends
  }
}

/** Python runs what is in a module of this name before all else (its `site` module). */
const HANG_DIR = 'hang';

/**
 * The HA loop is in Patroni's main thread, and there Python runs handlers of signals; the API has threads of its own. Its
 * thread takes connections in `_handle_request_noblock` of Python's `socketserver`.
 */
const HANG = `
import signal
import socketserver
import threading
signal.signal(signal.SIGUSR2, lambda *_: threading.Event().wait())

serving = threading.Event()
serving.set()
signal.signal(signal.SIGUSR1, lambda *_: serving.clear() if serving.is_set() else serving.set())
handle = socketserver.BaseServer._handle_request_noblock

def handle_while_serving(server):
    serving.wait()
    handle(server)

socketserver.BaseServer._handle_request_noblock = handle_while_serving
`;

/** Patroni from a source tree runs on the Python, and with the libraries, of Debian's. */
function patroniCommand({ options: { patroniSource, hangable, openFiles }, programs, workspace }: NodePlan): {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Record<string, string>;
} {
  const paths = [
    ...(hangable ? [workspace.path(HANG_DIR)] : []),
    ...(patroniSource === undefined ? [] : [patroniSource]),
  ];
  const env = {
    ...(paths.length > 0 && { PYTHONPATH: paths.join(':') }),
    PYTHONPYCACHEPREFIX: workspace.path('pycache'), // a source tree may not be ours
  };
  const line =
    patroniSource === undefined ? [programs.patroni] : ['/usr/bin/python3', join(patroniSource, 'patroni.py')];
  const limit = openFiles === undefined ? [] : ['sh', '-c', `ulimit -n ${openFiles}; exec "$@"`, 'sh'];
  const [command = '', ...args] = [...limit, ...line];
  return { command, args, env };
}

/** Linux only. PostgreSQL's processes all work in the data directory. */
function worksIn(pid: number, dir: string): boolean {
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === dir;
  } catch {
    return false; // gone
  }
}

function endAtOnce(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // gone already
  }
}

/** By Patroni's own switch, `PATCH /config`; then waits until each running node has taken notice. */
export async function setPause(nodes: readonly Node[], pause: boolean): Promise<void> {
  const running = nodes.filter(({ patroniPid }) => patroniPid !== 0);
  await eventually(pause ? 'the cluster can be paused' : 'the cluster can be resumed', 20_000, async () => {
    const body = JSON.stringify({ pause });
    const replies = await Promise.all(
      running.slice(0, 1).map((node) => node.rest('/config', { method: 'PATCH', body })),
    );
    return replies.every(({ status }) => status === 200);
  });
  await eventually(`every node is ${pause ? 'paused' : 'resumed'}`, 20_000, async () => {
    const replies = await Promise.all(running.map((node) => node.rest('/patroni')));
    return replies.every((reply) => reply.kind === 'reply' && reply.body.includes('"pause": true') === pause);
  });
}

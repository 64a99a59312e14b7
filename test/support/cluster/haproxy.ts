import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { freePort } from '../processes/ports.js';
import { findPrograms } from '../processes/programs.js';
import { eventually } from '../time/wait.js';
import { createWorkspace, type Workspace } from '../processes/workspace.js';

/** A server line of the example, filled in. */
export interface Server {
  /** As in the example: `node1`, `node2`. */
  readonly name: string;
  readonly port: number;
  readonly checkPort: number;
  /** Where its agent answers: runs examples/haproxy-agent.cfg in place of examples/haproxy.cfg. */
  readonly agentPort?: number | undefined;
}

export interface HAProxyOptions {
  readonly servers: readonly Server[];
  /** In place of the example's 3 s. Default 500 ms; `fastinter` becomes the same. */
  readonly interMs?: number;
  /** What the checks of the replica listener ask for, in place of the example's `/replica`: `/replica?lag=10MB`. */
  readonly replicaTarget?: string;
  /** The same of the primary listener, in place of `/primary`. */
  readonly primaryTarget?: string | undefined;
  /** In place of what agent checks of the primary listener send, as in the file: `/primary\\n`. */
  readonly agentSend?: string;
  /** Checks by HTTPS, and trusts this CA alone. */
  readonly caFile?: string;
  /** Its certificate with its key, in one file: runs examples/haproxy-tls.cfg. */
  readonly clientFile?: string;
}

/** What HAProxy thinks of one server: some of the columns of `show stat` (HAProxy's management guide, section 9.1). */
export interface ServerState {
  /** `UP`, `DOWN`, or on the way: `UP 1/3`, `DOWN 1/2`. */
  readonly status: string;
  readonly up: boolean;
  /** What the last agent check says: `L7OK`, `via agent : up`; empty where there is no agent. */
  readonly agent: { readonly check: string; readonly says: string };
  /** Of the last check: `L7OK`, `L7STS` (wrong status), `L7TOUT`, `L4CON` (refused), `L6RSP` (TLS). */
  readonly check: string;
  /** HTTP status of the last check. */
  readonly code: string;
  /** What the last check says in words. */
  readonly lastCheck: string;
  /** How often a check has failed, and how often the server went down. */
  readonly failedChecks: number;
  readonly downs: number;
}

export interface HAProxy {
  /** Ports of the listeners: `primary` and `replica`. */
  readonly primaryPort: number;
  readonly replicaPort: number;
  /** By listener and server: `primary/node1`. */
  serverStates(): Promise<Record<string, ServerState>>;
  /** The servers that are up, sorted: `['primary/node1', 'replica/node2']`. */
  up(): Promise<readonly string[]>;
  /** Resolves when exactly these servers are up. */
  untilUp(expected: readonly string[], deadlineMs?: number): Promise<void>;
  /** One command to its stats socket (HAProxy's management guide, section 9.3); resolves with the answer. */
  command(text: string): Promise<string>;
  /** The configuration that it runs with. */
  readonly config: string;
  log(): string;
  close(): Promise<void>;
}

/** Starts HAProxy with an example, its placeholders filled in; resolves when it has checked every server. */
export async function startHAProxy(options: HAProxyOptions): Promise<HAProxy> {
  const { haproxy } = findPrograms();
  const workspace = await createWorkspace();
  try {
    const [primaryPort, replicaPort] = [await freePort(), await freePort()];
    const hasAgents = options.servers.some(({ agentPort }) => agentPort !== undefined);
    const isClient = options.clientFile !== undefined;
    const example = hasAgents ? 'haproxy-agent.cfg' : isClient ? 'haproxy-tls.cfg' : 'haproxy.cfg';
    const config = fillIn(example, options, primaryPort, replicaPort);
    const socket = workspace.path('stats.sock');
    const files = [
      await workspace.write('haproxy.cfg', config),
      await workspace.write('stats.cfg', `global\n    stats socket ${socket} mode 600 level admin\n`),
    ].flatMap((file) => ['-f', file]);
    await workspace.run('haproxy -c', haproxy, ['-c', ...files]);
    const running = await workspace.start('haproxy', haproxy, ['-db', ...files]);
    const states = async (): Promise<Record<string, ServerState>> => parseStates(await command(socket, 'show stat'));
    await eventually('HAProxy has checked every server', 20_000, async () => {
      if (!running.alive()) throw new Error(running.output());
      const all = Object.values(await states());
      // in MAINT there are no http checks
      return all.length > 0 && all.every(({ check, status }) => check !== 'INI' || status === 'MAINT');
    });
    const send = (text: string): Promise<string> => command(socket, text);
    return createHAProxy(workspace, config, { primaryPort, replicaPort }, send, () => running.output());
  } catch (error) {
    const logs = workspace.logs();
    await workspace.close();
    throw new Error(`HAProxy did not start: ${(error as Error).message}\n${logs}`, { cause: error });
  }
}

function createHAProxy(
  workspace: Workspace,
  config: string,
  ports: { readonly primaryPort: number; readonly replicaPort: number },
  send: HAProxy['command'],
  log: () => string,
): HAProxy {
  const serverStates = async (): Promise<Record<string, ServerState>> => parseStates(await send('show stat'));
  const up = async (): Promise<readonly string[]> =>
    Object.entries(await serverStates())
      .filter(([, state]) => state.up)
      .map(([name]) => name)
      .sort();
  return {
    ...ports,
    config,
    command: send,
    serverStates,
    up,
    untilUp: async (expected, deadlineMs = 20_000) => {
      const wanted = [...expected].sort().join(', ');
      await eventually(`at HAProxy, up: ${wanted || 'nothing'}`, deadlineMs, async () => {
        if ((await up()).join(', ') === wanted) return true;
        const states = Object.entries(await serverStates());
        throw new Error(
          states.map(([name, { status, check, code }]) => `${name} ${status} ${check} ${code}`).join(', '),
        );
      });
    },
    log,
    close: () => workspace.close(),
  };
}

/**
 * Puts addresses, ports and intervals in place of the example's. Every replacement must find its place, so that an example
 * that was changed is not tested by half.
 */
function fillIn(example: string, options: HAProxyOptions, primaryPort: number, replicaPort: number): string {
  const { servers, interMs = 500, primaryTarget, replicaTarget, caFile, clientFile } = options;
  let config = readFileSync(new URL(`../../../../examples/${example}`, import.meta.url), 'utf8');
  const replace = (placeholder: string, value: string): void => {
    if (!config.includes(placeholder)) throw new Error(`examples/${example} no longer has "${placeholder}"`);
    config = config.replaceAll(placeholder, value);
  };
  replace('bind :5000', `bind 127.0.0.1:${primaryPort}`);
  replace('bind :5001', `bind 127.0.0.1:${replicaPort}`);
  replace('inter 3s fastinter 1s', `inter ${interMs}ms fastinter ${interMs}ms`);
  if (primaryTarget !== undefined) replace('option httpchk GET /primary\n', `option httpchk GET ${primaryTarget}\n`);
  if (replicaTarget !== undefined) replace('option httpchk GET /replica\n', `option httpchk GET ${replicaTarget}\n`);
  if (clientFile !== undefined) {
    replace('/etc/haproxy/patroniglue-client.pem', clientFile);
    replace('/etc/haproxy/patroniglue-ca.crt', caFile ?? '');
  } else if (caFile !== undefined) {
    replace(
      '# default-server check-ssl verify required ca-file /etc/haproxy/patroniglue-ca.crt',
      `default-server check-ssl verify required ca-file ${caFile}`,
    );
  }
  servers.forEach(({ name, port, checkPort, agentPort }, index) => {
    const agent = (at: number): string => (agentPort === undefined ? '' : ` agent-check agent-port ${at}`);
    const placeholder = `server ${name} 10.0.0.${11 + index}:5432 check port 8009${agent(8010)}`;
    replace(placeholder, `server ${name} 127.0.0.1:${port} check port ${checkPort}${agent(agentPort ?? 0)}`);
  });
  if (example === 'haproxy-agent.cfg') replace('agent-inter 1s', `agent-inter ${interMs}ms`);
  if (options.agentSend !== undefined) replace(String.raw`"/primary\n"`, `"${options.agentSend}"`);
  return config;
}

/** One command to a stats socket; resolves with its whole answer. */
export function command(socket: string, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const connection = connect(socket, () => connection.write(`${text}\n`));
    connection.setTimeout(5000, () => connection.destroy(new Error(`HAProxy does not answer "${text}"`)));
    connection.setEncoding('utf8').on('data', (chunk: string) => {
      answer += chunk;
    });
    connection.once('error', reject);
    connection.once('end', () => {
      resolve(answer);
    });
  });
}

/** What `show stat` says of the servers. */
export function parseStates(csv: string): Record<string, ServerState> {
  const [header = '', ...lines] = csv.trim().split('\n');
  const columns = header.replace(/^# /, '').split(',');
  const rows = lines.map((line) => {
    const values = line.split(',');
    return (column: string): string => values[columns.indexOf(column)] ?? '';
  });
  const servers = rows.filter((row) => !['FRONTEND', 'BACKEND'].includes(row('svname')));
  return Object.fromEntries(
    servers.map((row) => [
      `${row('pxname')}/${row('svname')}`,
      {
        status: row('status'),
        up: row('status').startsWith('UP'),
        agent: { check: row('agent_status').replace(/^\* /, ''), says: row('last_agt') },
        check: row('check_status').replace(/^\* /, ''), // a star: the next check is under way
        code: row('check_code'),
        lastCheck: row('last_chk'),
        failedChecks: Number(row('chkfail')),
        downs: Number(row('chkdown')),
      },
    ]),
  );
}

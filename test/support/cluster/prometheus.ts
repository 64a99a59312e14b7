import { stringify } from 'yaml';
import { ask, type Reply } from '../clients/http-get.js';
import { freePort } from '../processes/ports.js';
import { startProcess } from '../processes/processes.js';
import { findProgram } from '../processes/programs.js';
import { eventually, within } from '../time/wait.js';
import { createWorkspace } from '../processes/workspace.js';

/** What `promtool check metrics` says of what is scraped. */
export interface Verdict {
  /** 0 when all is well, 3 when it parses but its names are not as they should be, 1 when it does not parse. */
  readonly code: number | null;
  readonly complaints: string;
}

/** A real Prometheus server that scrapes `/metrics` of some loopback ports, every second. */
export interface Prometheus {
  /** The value of an expression for each port that it has one for: `{ 15001: '1' }`. */
  query(expression: string): Promise<Readonly<Record<number, string>>>;
  /** Why the last scrape of a port failed; empty when it did not. */
  lastError(port: number): Promise<string>;
  close(): Promise<void>;
}

interface Vector {
  readonly data: {
    readonly result: readonly { readonly metric: { instance: string }; readonly value: [number, string] }[];
  };
}

interface Targets {
  readonly data: {
    readonly activeTargets: readonly { readonly labels: { instance: string }; readonly lastError: string }[];
  };
}

/** As Prometheus' own documentation tells people to do it: `curl ... | promtool check metrics`. */
export async function checkMetrics(port: number, path = '/metrics'): Promise<Verdict> {
  const script = '"$1" -sS "$2" | "$3" check metrics';
  const args = ['-c', script, 'sh', findProgram('curl'), `http://127.0.0.1:${port}${path}`, findProgram('promtool')];
  const promtool = await startProcess('promtool', '/bin/sh', args, { env: {} });
  const { code } = await within('promtool ends', 20_000, promtool.exit);
  return { code, complaints: promtool.output() };
}

/** How many samples are in a reply of `/metrics`: its lines that are no comments. */
export function samplesIn(reply: Reply): number {
  return reply.kind === 'reply' ? (reply.body.match(/^[^#\n]+$/gm) ?? []).length : 0;
}

/** Starts the server; resolves when it is ready, which is before its first scrape. */
export async function startPrometheus(ports: readonly number[]): Promise<Prometheus> {
  const workspace = await createWorkspace();
  try {
    const port = await freePort();
    const config = {
      global: { scrape_interval: '1s', scrape_timeout: '1s' },
      scrape_configs: [{ job_name: 'patroni', static_configs: [{ targets: ports.map((at) => `127.0.0.1:${at}`) }] }],
    };
    const args = {
      'config.file': await workspace.write('prometheus.yml', stringify(config)),
      'storage.tsdb.path': await workspace.mkdir('data'),
      'web.listen-address': `127.0.0.1:${port}`,
    };
    const running = await workspace.start(
      'prometheus',
      findProgram('prometheus'),
      Object.entries(args).map(([name, value]) => `--${name}=${value}`),
    );
    await eventually('Prometheus is ready', 20_000, async () => {
      if (!running.alive()) throw new Error('it has ended');
      return (await ask(port, '/-/ready')).status === 200;
    });
    const api = async (path: string): Promise<unknown> => {
      const reply = await ask(port, `/api/v1/${path}`);
      if (reply.status !== 200) throw new Error(reply.kind === 'reply' ? reply.body : reply.reason);
      return JSON.parse(reply.body);
    };
    return {
      query: async (expression) => {
        const { data } = (await api(`query?query=${encodeURIComponent(expression)}`)) as Vector;
        return Object.fromEntries(data.result.map(({ metric, value }) => [portOf(metric.instance), value[1]]));
      },
      lastError: async (at) => {
        const { data } = (await api('targets')) as Targets;
        return data.activeTargets.find(({ labels }) => portOf(labels.instance) === at)?.lastError ?? 'no such target';
      },
      close: () => workspace.close(),
    };
  } catch (error) {
    const logs = workspace.logs();
    await workspace.close();
    throw new Error(`Prometheus did not start: ${(error as Error).message}\n${logs}`, { cause: error });
  }
}

function portOf(instance: string): number {
  return Number(instance.split(':')[1]);
}

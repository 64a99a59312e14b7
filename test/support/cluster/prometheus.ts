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

/** What to scrape; if absent, `/metrics` as the job `patroni`, without labels. */
export interface ScrapeOptions {
  readonly job?: string;
  readonly path?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

/** The labels of a series, and its values, oldest first. */
export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  readonly values: readonly string[];
}

/** A real Prometheus server that scrapes some loopback ports, every second. */
export interface Prometheus {
  /** The value of an expression for each port that it has one for: `{ 15001: '1' }`. */
  query(expression: string): Promise<Readonly<Record<number, string>>>;
  /** What an expression gives now: a series for each combination of labels. */
  series(expression: string): Promise<readonly Series[]>;
  /** What it gave in each of the last seconds. */
  lastSeconds(expression: string, seconds: number): Promise<readonly Series[]>;
  /** The values that a label of a metric has. */
  valuesOf(metric: string, label: string): Promise<readonly string[]>;
  /** Why the last scrape of a port failed; empty when it did not. */
  lastError(port: number): Promise<string>;
  close(): Promise<void>;
}

interface Vector {
  readonly data: {
    readonly result: readonly { readonly metric: { instance: string }; readonly value: [number, string] }[];
  };
}

interface Matrix {
  readonly data: {
    readonly result: readonly {
      readonly metric: Readonly<Record<string, string>>;
      readonly values?: readonly (readonly [number, string])[];
      readonly value?: readonly [number, string];
    }[];
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
export async function startPrometheus(ports: readonly number[], options: ScrapeOptions = {}): Promise<Prometheus> {
  const { job = 'patroni', path: metricsPath = '/metrics', labels = {} } = options;
  const workspace = await createWorkspace();
  try {
    const port = await freePort();
    const config = {
      global: { scrape_interval: '1s', scrape_timeout: '1s' },
      scrape_configs: [
        {
          ...{ job_name: job, metrics_path: metricsPath },
          static_configs: [{ targets: ports.map((at) => `127.0.0.1:${at}`), labels }],
        },
      ],
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
    const seriesIn = (reply: unknown): readonly Series[] =>
      (reply as Matrix).data.result.map(({ metric, value, values = value ? [value] : [] }) => ({
        ...{ labels: metric, values: values.map(([, each]) => each) },
      }));
    return {
      series: async (expression) => seriesIn(await api(`query?query=${encodeURIComponent(expression)}`)),
      lastSeconds: async (expression, seconds) => {
        const end = Math.floor(new Date().getTime() / 1000);
        const range = `start=${end - seconds}&end=${end}&step=1`;
        return seriesIn(await api(`query_range?query=${encodeURIComponent(expression)}&${range}`));
      },
      valuesOf: async (metric, label) => {
        const reply = await api(`label/${label}/values?match[]=${encodeURIComponent(metric)}`);
        return (reply as { data: readonly string[] }).data;
      },
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

import { readFile, writeFile } from 'node:fs/promises';
import { parse, stringify } from 'yaml';
import { ask, type AskOptions, type Reply } from '../clients/http-get.js';
import { freePort } from './ports.js';
import { type Exit, type Running, coverageEnv, run } from './processes.js';
import { mainFile } from './main-file.js';
import { eventually } from '../time/wait.js';
import { createWorkspace } from './workspace.js';

/** config.yml as an object: sections, then kebab-case keys. */
export type ConfigObject = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

export interface ServiceOptions {
  /** `frontend.host` and a free `frontend.port` are put in where they are not given. */
  readonly config: ConfigObject;
  /** In place of `--verbose`. */
  readonly flags?: readonly string[];
  /** A program, with its arguments, that is told to run it: `unshare -m`, say. Must become it, not fork. */
  readonly under?: readonly string[];
  /** Node's own flags. */
  readonly nodeFlags?: readonly string[];
  /** Added to its environment. */
  readonly env?: Record<string, string>;
  /** By which `get` trusts the front end; makes it ask by HTTPS. */
  readonly tls?: AskOptions['tls'];
  /** What `get` sends before all else, where the front end expects a PROXY header. */
  readonly prologue?: string;
}

/** patroniglue as a child process. */
export interface Service {
  readonly pid: number;
  readonly port: number;
  readonly configFile: string;
  /** Standard output and standard error so far. */
  output(): string;
  /** One request to the front end on a connection of its own. Never rejects. */
  get(path: string): Promise<Reply>;
  signal(signal: NodeJS.Signals): void;
  readonly exit: Promise<Exit>;
  /** Starts it anew after its end, with the configuration file as it is now. */
  startAgain(): Promise<void>;
  /** Ends the process whatever state it is in, and removes its files. */
  close(): Promise<void>;
}

/** Starts the service; resolves when its front end answers `/-/healthy`. Rejects with its output if it ends before. */
export async function startService(options: ServiceOptions): Promise<Service> {
  const workspace = await createWorkspace();
  try {
    const { config, flags = ['--verbose'], under = [], nodeFlags = [], env = {}, tls, prologue } = options;
    const frontend = { host: '127.0.0.1', port: await freePort(), ...config['frontend'] };
    const { port } = frontend;
    const configFile = await workspace.write('config.yml', stringify({ ...config, frontend }));
    const node = [process.execPath, ...nodeFlags];
    const [command = '', ...args] = [...under, ...node, mainFile, '--config', configFile, ...flags];
    const get = (path: string): Promise<Reply> => ask(port, path, { tls, prologue });
    const start = async (): Promise<Running> => {
      const started = await workspace.start('patroniglue', command, args, env);
      await eventually('patroniglue answers /-/healthy', 10_000, async () => {
        if (!started.alive()) throw new Error('patroniglue has ended');
        const reply = await get('/-/healthy');
        if (reply.kind === 'failure') throw new Error(reply.reason);
        return reply.status === 200;
      });
      return started;
    };
    let running = await start();
    return {
      get pid() {
        return running.pid;
      },
      port,
      configFile,
      output: () => running.output(),
      get,
      signal: (signal) => {
        running.signal(signal);
      },
      get exit() {
        return running.exit;
      },
      startAgain: async () => {
        running = await start();
      },
      async close() {
        if ('NODE_V8_COVERAGE' in coverageEnv()) await running.stop(2000).catch(() => undefined); // one that is killed tells nothing
        await workspace.close();
      },
    };
  } catch (error) {
    const logs = workspace.logs();
    await workspace.close();
    throw new Error(`the service did not start: ${(error as Error).message}\n${logs}`, { cause: error });
  }
}

/** Writes other keys of the front end into the configuration, and has it read; resolves when they are in force. */
export async function reload(service: Service, frontend: Readonly<Record<string, unknown>>): Promise<void> {
  const config = parse(await readFile(service.configFile, 'utf8')) as ConfigObject;
  await writeFile(service.configFile, stringify({ ...config, frontend: { ...config['frontend'], ...frontend } }));
  const seen = service.output().length;
  service.signal('SIGHUP');
  await eventually('reloaded', 10_000, () => service.output().slice(seen).includes('reloaded; changed'));
}

/** `patroniglue --notify` with the configuration file of a service; resolves with its output. */
export function notify({ configFile }: Service): Promise<string> {
  const args = [mainFile, '--config', configFile, '--notify'];
  return run('patroniglue --notify', process.execPath, args, { env: { PATH: process.env['PATH'] ?? '' } });
}

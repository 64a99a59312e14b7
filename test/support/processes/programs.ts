import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { execFileSync } from 'node:child_process';
import { delimiter, dirname, join } from 'node:path';
import { run, type Owner } from './processes.js';

/** A real program that the end-to-end tests and the demo use, and the Debian packages that bring it. */
export interface Program {
  readonly name: string;
  readonly packages: readonly string[];
}

/** Where the real programs are. */
export interface Programs {
  readonly etcd: string;
  readonly patroni: string;
  readonly haproxy: string;
  readonly openssl: string;
  /** The newest PostgreSQL's directory of programs. */
  readonly postgresBin: string;
  /** Who runs PostgreSQL, which refuses to be run by root; absent when we are not root ourselves. */
  readonly owner: Owner | undefined;
}

const needed: readonly (Program & { find: () => string | undefined })[] = [
  { name: 'etcd', packages: ['etcd-server'], find: () => inPath('etcd') },
  // python3-etcd is what Patroni imports for both `etcd:` and `etcd3:`; Debian's package accepts any DCS client instead.
  { name: 'patroni', packages: ['patroni', 'python3-etcd'], find: findPatroni },
  { name: 'haproxy', packages: ['haproxy'], find: () => inPath('haproxy') },
  { name: 'postgresql', packages: ['postgresql'], find: findPostgres },
  { name: 'openssl', packages: ['openssl'], find: () => inPath('openssl') },
];

/** What single tests need besides, by name. */
const special: typeof needed = [
  { name: 'busybox', packages: ['busybox'], find: () => inPath('busybox') },
  { name: 'check_http', packages: ['monitoring-plugins-basic'], find: findCheckHttp },
  { name: 'chromium', packages: ['chromium'], find: () => inPath('chromium') },
  { name: 'curl', packages: ['curl'], find: () => inPath('curl') },
  { name: 'debootstrap', packages: ['debootstrap'], find: () => inPath('debootstrap') },
  { name: 'etcdctl', packages: ['etcd-client'], find: () => inPath('etcdctl') },
  { name: 'faketime', packages: ['faketime'], find: findFaketime },
  { name: 'h2load', packages: ['nghttp2-client'], find: () => inPath('h2load') },
  { name: 'ip', packages: ['iproute2'], find: () => inPath('ip') },
  { name: 'keepalived', packages: ['keepalived'], find: () => inPath('keepalived') },
  { name: 'kubectl', packages: ['kubernetes-client'], find: () => inPath('kubectl') },
  { name: 'mandoc', packages: ['mandoc'], find: () => inPath('mandoc') },
  { name: 'nginx', packages: ['nginx-light'], find: () => inPath('nginx') },
  { name: 'patronictl', packages: ['patroni'], find: () => inPath('patronictl') },
  { name: 'prometheus', packages: ['prometheus'], find: () => inPath('prometheus') },
  { name: 'promtool', packages: ['prometheus'], find: () => inPath('promtool') },
  { name: 'rpmbuild', packages: ['rpm'], find: () => inPath('rpmbuild') },
  { name: 'systemd-analyze', packages: ['systemd'], find: () => inPath('systemd-analyze') },
  { name: 'varnish', packages: ['varnish'], find: () => inPath('varnishd') },
  { name: 'wrk', packages: ['wrk'], find: () => inPath('wrk') },
];

const policyFile = '/usr/sbin/policy-rc.d';
const createClusterFile = '/etc/postgresql-common/createcluster.conf';

/** The programs that are not on this machine: those of the cluster, and `also` those of a single test. */
export function missingPrograms(also: readonly string[] = []): readonly Program[] {
  const wanted = [...needed, ...special.filter(({ name }) => also.includes(name))];
  return wanted.filter(({ find }) => find() === undefined).map(({ name, packages }) => ({ name, packages }));
}

/** Where the programs are; throws one line when some are missing. */
export function findPrograms(): Programs {
  const missing = missingPrograms();
  if (missing.length > 0) throw new Error(`not installed: ${names(missing)}`);
  const found = new Map(needed.map(({ name, find }) => [name, find() ?? name]));
  const at = (name: string): string => found.get(name) ?? name;
  return {
    etcd: at('etcd'),
    patroni: at('patroni'),
    haproxy: at('haproxy'),
    openssl: at('openssl'),
    postgresBin: at('postgresql'),
    owner: isRoot() ? accountOf('postgres') : undefined,
  };
}

/** Where a program of a single test is, such as `curl`; throws when it is missing. */
export function findProgram(name: string): string {
  const path = special.find((program) => program.name === name)?.find();
  if (path === undefined) throw new Error(`not installed: ${name}`);
  return path;
}

/** What `install` would do, for people to read. */
export function installPlan(missing: readonly Program[]): string {
  return [
    `not found: ${names(missing)}`,
    'to install:',
    '  apt-get update',
    `  apt-get install -y --no-install-recommends ${packagesOf(missing).join(' ')}`,
    `without starting the packages' own services (${policyFile}), nor enabling them, nor making Debian's "main" PostgreSQL cluster.`,
  ].join('\n');
}

/** Why `install` can't work on this machine, in one line; undefined when it can be tried. */
export function whyNotInstallable(): string | undefined {
  if (inPath('apt-get') === undefined) return 'there is no apt-get (not Debian or Ubuntu)';
  return isRoot() ? undefined : 'not root';
}

/** Installs what is missing with apt-get. Throws one line when that is impossible or fails. */
export async function install(missing: readonly Program[]): Promise<void> {
  if (missing.length === 0) return;
  const reason = whyNotInstallable();
  if (reason !== undefined) throw new Error(`can't install ${names(missing)}: ${reason}`);

  await uninterrupted(async () => {
    const restore = keepServicesStill(missing);
    try {
      await aptGet('update');
      await aptGet('install', '-y', '--no-install-recommends', ...packagesOf(missing));
      await disableServices(missing);
    } finally {
      restore();
    }
  });
  const still = missingPrograms(missing.map(({ name }) => name));
  if (still.length > 0) throw new Error(`installed the packages, but not found: ${names(still)}`);
}

/**
 * For test files: installs what is missing, and resolves with false when everything is there, or with the reason to skip
 * (to hand to `describe` as it is). With TEST_E2E=required in the environment it rejects with that reason instead.
 */
export async function skipReason(also: readonly string[] = []): Promise<string | false> {
  const missing = missingPrograms(also);
  try {
    await install(missing);
    return false;
  } catch (error) {
    const reason = `${(error as Error).message}; as root on Debian or Ubuntu: apt-get install ${packagesOf(missing).join(' ')}`;
    if (process.env['TEST_E2E'] === 'required') throw new Error(reason, { cause: error });
    return reason;
  }
}

/** As {@link skipReason}, for tests that make namespaces and mounts: these need root even if every program is there. */
export async function skipReasonOfRoot(also: readonly string[]): Promise<string | false> {
  if (isRoot()) return skipReason(also);
  if (process.env['TEST_E2E'] === 'required') throw new Error('not root');
  return 'not root';
}

/** A signal that arrives meanwhile takes effect afterwards: half an installation, or a policy-rc.d left behind, is worse. */
async function uninterrupted(body: () => Promise<void>): Promise<void> {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  let arrived: NodeJS.Signals | undefined;
  const hold = (signal: NodeJS.Signals): void => {
    arrived = signal;
  };
  for (const signal of signals) process.on(signal, hold);
  try {
    await body();
  } finally {
    for (const signal of signals) process.removeListener(signal, hold);
    if (arrived !== undefined) process.kill(process.pid, arrived);
  }
}

async function aptGet(...args: readonly string[]): Promise<void> {
  const proxies = ['http_proxy', 'https_proxy', 'no_proxy'].flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  const env = {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    LANG: 'C.UTF-8',
    DEBIAN_FRONTEND: 'noninteractive',
    UCF_FORCE_CONFFOLD: '1', // keeps the createcluster.conf that was there first
    ...Object.fromEntries(proxies),
  };
  const options = ['-q', '-o', 'DPkg::Lock::Timeout=120', '-o', 'Dpkg::Use-Pty=0'];
  try {
    await run(`apt-get ${args[0] ?? ''}`, 'apt-get', [...options, ...args], { env, deadlineMs: 15 * 60_000 });
  } catch (error) {
    const lines = (error as Error).message.split('\n').map((line) => line.trim());
    const telling = lines.find((line) => line.startsWith('E: ')) ?? lines.at(-1) ?? '';
    throw new Error(`apt-get ${args.join(' ')} failed: ${telling}`, { cause: error });
  }
}

/** Nothing is started while packages are unpacked (Debian policy, section 9.3.3, invoke-rc.d); returns what undoes it. */
function keepServicesStill(missing: readonly Program[]): () => void {
  if (missing.some(({ name }) => name === 'postgresql') && !existsSync(createClusterFile)) {
    mkdirSync(dirname(createClusterFile), { recursive: true });
    writeFileSync(
      createClusterFile,
      '# No cluster of its own for a new PostgreSQL: Patroni makes them.\ncreate_main_cluster = false\n',
    );
  }
  if (existsSync(policyFile)) return () => undefined;
  writeFileSync(policyFile, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  return () => {
    rmSync(policyFile, { force: true });
  };
}

/** policy-rc.d stops the start at installation; this one stops the start at the next boot. */
async function disableServices(missing: readonly Program[]): Promise<void> {
  const systemctl = inPath('systemctl');
  if (systemctl === undefined) return;
  const units = missing.map(({ name }) => name).filter((name) => name !== 'openssl');
  await run('systemctl disable', systemctl, ['disable', ...units], { env: { PATH: process.env['PATH'] ?? '' } }).catch(
    () => undefined, // no systemd here, or no such unit: then nothing would start them either
  );
}

function findPatroni(): string | undefined {
  const patroni = inPath('patroni');
  if (patroni === undefined) return undefined;
  const python = /^#!\s*(\S+)/.exec(readFileSync(patroni, 'utf8'))?.[1];
  if (python === undefined) return patroni;
  try {
    execFileSync(python, ['-c', 'import patroni.dcs.etcd3'], { stdio: 'ignore' });
    return patroni;
  } catch {
    return undefined; // Patroni without the module that talks to etcd
  }
}

function findPostgres(): string | undefined {
  const root = '/usr/lib/postgresql';
  const versions = existsSync(root) ? readdirSync(root).map(Number).filter(Number.isFinite) : [];
  return versions
    .sort((a, b) => b - a)
    .map((version) => join(root, String(version), 'bin'))
    .find((bin) => ['postgres', 'initdb', 'pg_ctl', 'pg_basebackup'].every((name) => isExecutable(join(bin, name))));
}

/** Its library, to be loaded before others; the command itself cannot change the time of a process that runs. */
function findFaketime(): string | undefined {
  const dirs = existsSync('/usr/lib') ? readdirSync('/usr/lib').map((name) => join('/usr/lib', name)) : [];
  return ['/usr/lib', ...dirs].map((dir) => join(dir, 'faketime/libfaketimeMT.so.1')).find((path) => existsSync(path));
}

/** Nagios' plugins are not in anybody's PATH. */
function findCheckHttp(): string | undefined {
  const path = '/usr/lib/nagios/plugins/check_http';
  return isExecutable(path) ? path : undefined;
}

function inPath(name: string): string | undefined {
  const dirs = new Set([...(process.env['PATH'] ?? '').split(delimiter), '/usr/bin', '/usr/sbin', '/bin', '/sbin']);
  return [...dirs]
    .filter((dir) => dir !== '')
    .map((dir) => join(dir, name))
    .find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function accountOf(user: string): Owner {
  const id = (flag: string): number => Number(execFileSync('id', [flag, user], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}

function names(programs: readonly Program[]): string {
  return programs.map(({ name }) => name).join(', ');
}

function packagesOf(programs: readonly Program[]): readonly string[] {
  return [...new Set(programs.flatMap(({ packages }) => packages))];
}

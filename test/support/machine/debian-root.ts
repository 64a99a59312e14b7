import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../processes/processes.js';

/** A Debian as small as can be that systemd can boot, and HAProxy. */
const PACKAGES = ['systemd', 'systemd-sysv', 'dbus', 'init-system-helpers', 'haproxy'] as const;

const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8', DEBIAN_FRONTEND: 'noninteractive' };

/** The longest that debootstrap may take on a quiet machine, in milliseconds. */
const DEADLINE_MS = 600_000;

/**
 * The directory of a bare Debian, with `more` packages. Made once with debootstrap, and kept in the temporary directory for
 * further runs. Needs root and Debian's mirror. To be used as the lower layer of an overlay: nobody writes into it.
 */
export async function debianRoot(suite: string, more: readonly string[] = []): Promise<string> {
  const dir = join(tmpdir(), ['patroniglue-debian', suite, ...more].join('-'));
  if (existsSync(dir)) return dir;
  const beside = `${dir}.${process.pid}`;
  try {
    const include = [...PACKAGES, ...more].join(',');
    const args = ['--variant=minbase', `--include=${include}`, suite, beside];
    await run(`debootstrap ${suite}`, 'debootstrap', args, { env: { ...env, ...proxies() }, deadlineMs: DEADLINE_MS });
    rmSync(join(beside, 'var/cache/apt/archives'), { recursive: true, force: true });
    mkdirSync(join(beside, 'var/cache/apt/archives/partial'), { recursive: true });
    writeFileSync(join(beside, 'etc/hosts'), '127.0.0.1 localhost\n::1 localhost\n10.0.0.11 node1\n');
    writeFileSync(join(beside, 'etc/hostname'), 'node1\n');
    await run('systemctl disable', 'chroot', [beside, 'systemctl', 'disable', 'haproxy'], { env });
    if (!existsSync(dir)) renameSync(beside, dir);
  } finally {
    rmSync(beside, { recursive: true, force: true });
  }
  return dir;
}

function proxies(): Record<string, string> {
  const found = ['http_proxy', 'https_proxy', 'no_proxy'].flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(found);
}

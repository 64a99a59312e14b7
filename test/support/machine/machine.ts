import { existsSync, mkdirSync, readFileSync, readdirSync, rmdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { eventually } from '../time/wait.js';
import { run } from '../processes/processes.js';
import { createWorkspace } from '../processes/workspace.js';

/** A Debian under a systemd of its own, with its own processes, files and network. */
export interface Machine {
  /** A directory of ours; the machine sees it as /shared. */
  readonly shared: string;
  /** Runs a shell command as its root; resolves with its output, rejects if it fails. */
  sh(command: string, deadlineMs?: number): Promise<string>;
  /** Ends it in any state, and forgets all that it has written. */
  close(): Promise<void>;
}

/**
 * Boots systemd on a copy of `root`: an overlay in memory, in namespaces. The network has loopback alone, with 10.0.0.11
 * besides. Needs root, and a kernel with overlayfs and cgroup2.
 */
export async function bootMachine(root: string): Promise<Machine> {
  const workspace = await createWorkspace();
  const shared = await workspace.mkdir('shared');
  const top = await workspace.mkdir('top');
  const cgroup = join(cgroup2(), `patroniglue-${process.pid}-${basename(workspace.dir)}`);
  mkdirSync(cgroup);
  const close = async (): Promise<void> => {
    await workspace.close();
    await eventually('the machine is gone', 10_000, () => {
      if (existsSync(cgroup)) removeCgroup(cgroup);
      return !existsSync(cgroup);
    });
  };
  try {
    const script = await workspace.write('boot.sh', BOOT);
    const namespaces = ['--mount', '--net', '--ipc', '--uts', '--pid', '--fork', '--kill-child=SIGKILL'];
    const inCgroup = `echo $$ > '${cgroup}/cgroup.procs' && exec unshare --cgroup ${namespaces.join(' ')} sh "$@"`;
    const running = await workspace.start('the machine', 'sh', ['-c', inCgroup, 'sh', script, root, top, shared]);
    const init = await eventually('the machine has a first process', 10_000, () => {
      if (!running.alive()) throw new Error(running.output());
      const [pid] = readFileSync(`/proc/${running.pid}/task/${running.pid}/children`, 'utf8').trim().split(' ');
      return pid !== undefined && pid !== '' && pid;
    });
    const spaces = ['--mount', '--net', '--ipc', '--uts', '--pid', '--cgroup', '--root', '--wd'];
    const env = ['-i', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'LC_ALL=C.UTF-8', 'DEBIAN_FRONTEND=noninteractive'];
    const sh = (command: string, deadlineMs = 30_000): Promise<string> =>
      run(command, 'nsenter', ['--target', init, ...spaces, '/usr/bin/env', ...env, 'sh', '-c', command], {
        env: { PATH: process.env['PATH'] ?? '' },
        deadlineMs,
      });
    await eventually('systemd has booted', 30_000, async () =>
      /^(running|degraded)$/m.test(await sh('systemctl is-system-running || true')),
    );
    return { shared, sh, close };
  } catch (error) {
    const logs = workspace.logs();
    await close();
    throw new Error(`the machine did not boot: ${(error as Error).message}\n${logs}`, { cause: error });
  }
}

/** Where cgroup2 is mounted: alone, or beside the controllers of version 1. */
function cgroup2(): string {
  const [, path] = /^\S+ (\S+) cgroup2 /m.exec(readFileSync('/proc/self/mounts', 'utf8')) ?? [];
  if (path === undefined) throw new Error('cgroup2 is not mounted');
  return path;
}

/** The groups that systemd has made inside are removed first; those of processes that still end, later. */
function removeCgroup(dir: string): void {
  const groups = cgroupsIn(dir);
  for (const group of groups) {
    try {
      rmdirSync(group);
    } catch {
      return; // still in use
    }
  }
}

function cgroupsIn(dir: string): readonly string[] {
  const inner = readdirSync(dir, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return [...inner.flatMap(({ name }) => cgroupsIn(join(dir, name))), dir];
}

/** Arguments: the lower layer, a mount point, and the shared directory. */
const BOOT = `set -e
root=$1 top=$2 shared=$3
mount --make-rprivate /
mount -t tmpfs tmpfs "$top"
mkdir "$top/upper" "$top/work" "$top/root"
mount -t overlay -o "lowerdir=$root,upperdir=$top/upper,workdir=$top/work" overlay "$top/root"
cd "$top/root"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs dev
for device in null zero full random urandom tty; do touch dev/$device; mount --bind /dev/$device dev/$device; done
ln -s /proc/self/fd dev/fd
ln -s pts/ptmx dev/ptmx
mkdir dev/pts dev/shm shared
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
mount -t tmpfs tmpfs dev/shm
mount --bind "$shared" shared
hostname node1
ip link set lo up
ip address add 10.0.0.11/32 dev lo
exec chroot . /usr/bin/env -i container=patroniglue PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd 2>&1
`;

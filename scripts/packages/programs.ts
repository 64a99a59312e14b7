import { execFileSync } from 'node:child_process';

/** What makes the packages, and Debian's packages of it. */
const PROGRAMS = { 'dpkg-deb': 'dpkg', rpmbuild: 'rpm', tar: 'tar', gzip: 'gzip', npm: 'npm' } as const;

/** Installs what is missing, as root on Debian. Throws one line if that is impossible. */
export function needPrograms(names: readonly (keyof typeof PROGRAMS)[]): void {
  const missing = names.filter((name) => !isThere(name));
  if (missing.length === 0) return;
  const packages = missing.map((name) => PROGRAMS[name]);
  const what = `not installed: ${missing.join(', ')}`;
  if (process.getuid?.() !== 0 || !isThere('apt-get')) {
    throw new Error(`${what}; as root on Debian or Ubuntu: apt-get install ${packages.join(' ')}`);
  }
  console.log(`${what}: installing ${packages.join(', ')}`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  for (const args of [['update'], ['install', '-y', '--no-install-recommends', ...packages]]) {
    execFileSync('apt-get', ['-q', ...args], { env, stdio: ['ignore', 'ignore', 'inherit'] });
  }
}

function isThere(name: string): boolean {
  try {
    execFileSync('sh', ['-c', 'command -v "$0"', name], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

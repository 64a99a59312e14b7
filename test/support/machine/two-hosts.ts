import { spawnSync } from 'node:child_process';
import { run } from '../processes/processes.js';

/** Two network namespaces with a cable between them: two hosts, as far as addresses matter. */
export interface TwoHosts {
  /** Words before a command, which let it run on one of the hosts. */
  readonly on: Readonly<Record<Host, readonly string[]>>;
  close(): Promise<void>;
}

export type Host = 'one' | 'two';

/** The address of a host in each of the networks that both are in: IPv4 twice, IPv6, and its own link. */
export const ADDRESSES: Readonly<Record<Host, readonly [string, string, string, string]>> = {
  one: ['10.99.0.1', '10.98.0.1', 'fd99::1', 'fe80::1%cable'],
  two: ['10.99.0.2', '10.98.0.2', 'fd99::2', 'fe80::2%cable'],
};

/** Why there can be no such hosts here, or `false`: for `skip`. */
export function withoutTwoHosts(): string | false {
  const isPossible = spawnSync('unshare', ['--net', 'ip', 'link', 'add', 'probe', 'type', 'veth']).status === 0;
  return !isPossible && 'no network namespaces here (run as root, with CAP_SYS_ADMIN)';
}

/** Makes them. No address of this machine changes. */
export async function makeTwoHosts(): Promise<TwoHosts> {
  const nameOf = (host: Host): string => `patroniglue-${process.pid}-${host}`;
  const ip = (...words: readonly string[]): Promise<string> =>
    run(`ip ${words.join(' ')}`, 'ip', words, { env: { PATH: process.env['PATH'] ?? '' } });
  const hosts = ['one', 'two'] as const;
  const close = async (): Promise<void> => {
    for (const host of hosts) await ip('netns', 'delete', nameOf(host)).catch(() => undefined); // never made
  };
  try {
    for (const host of hosts) await ip('netns', 'add', nameOf(host));
    const other = ['peer', 'name', 'cable', 'netns', nameOf('two')];
    await ip('-n', nameOf('one'), 'link', 'add', 'cable', 'type', 'veth', ...other);
    for (const host of hosts) {
      const inHost = ['-n', nameOf(host)];
      await ip(...inHost, 'link', 'set', 'cable', 'addrgenmode', 'none');
      for (const link of ['lo', 'cable']) await ip(...inHost, 'link', 'set', link, 'up');
      for (const address of ADDRESSES[host]) {
        const plain = address.replace(/%.*/, '');
        const isIPv6 = plain.includes(':');
        // nodad: an address of IPv6 can be used at once
        await ip(
          ...inHost,
          'address',
          'add',
          `${plain}/${isIPv6 ? 64 : 24}`,
          'dev',
          'cable',
          ...(isIPv6 ? ['nodad'] : []),
        );
      }
    }
  } catch (error) {
    await close();
    throw error;
  }
  const exec = (host: Host): readonly string[] => ['ip', 'netns', 'exec', nameOf(host)];
  return { on: { one: exec('one'), two: exec('two') }, close };
}

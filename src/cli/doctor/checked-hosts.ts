import { lookup } from 'node:dns/promises';
import { connect, isIP } from 'node:net';
import type { Config } from '../../config/types.js';
import { isLoopback } from '../../network/loopback.js';
import { thisHost } from '../../network/this-host.js';
import type { HaproxyFile } from '../haproxy/checks.js';
import type { CheckedHost } from './types.js';
import { within } from './within.js';

const WITHIN_MS = 1500;

/** The most hosts of a haproxy.cfg that are looked up. */
const MAX_HOSTS = 32;

/** The hosts that HAProxy checks at the port of the front end. Connects to those that are this host. Never rejects. */
export async function checkedHosts(config: Config, { checks }: HaproxyFile): Promise<readonly CheckedHost[]> {
  const { port } = config.frontend;
  const servers = checks.flatMap((check) => check.servers.filter((server) => server.port === port));
  const hosts = [...new Set(servers.map(({ host }) => host))].slice(0, MAX_HOSTS);
  return Promise.all(hosts.map((host) => look(host, port)));
}

async function look(host: string, port: number): Promise<CheckedHost> {
  const addresses = await within(WITHIN_MS, addressesOf(host), []);
  const own = thisHost().addresses;
  const isThisHost = addresses.some((address) => isLoopback(address) || own.includes(address));
  return isThisHost ? { host, isThisHost, accepts: await accepts(host, port) } : { host, isThisHost };
}

async function addressesOf(host: string): Promise<readonly string[]> {
  if (isIP(host) !== 0) return [host];
  const found = await lookup(host, { all: true }).catch(() => []);
  return found.map(({ address }) => address);
}

function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const end = (accepted: boolean): void => {
      socket.destroy();
      resolve(accepted);
    };
    const socket = connect({ host, port, timeout: WITHIN_MS });
    socket
      .once('connect', () => {
        end(true);
      })
      .once('error', () => {
        end(false);
      })
      .once('timeout', () => {
        end(false);
      });
  });
}

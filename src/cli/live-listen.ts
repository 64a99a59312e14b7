import { createServer } from 'node:net';
import type { Config } from '../config/types.js';
import { ListenError } from '../errors.js';
import { areLoopback, isLoopback } from '../network/loopback.js';
import { createListeners } from '../sockets/listeners.js';
import type { ListenAddress } from './live-types.js';

/** How long to wait for a name server. */
const WITHIN_MS = 5000;

/** The listen addresses of the configuration. No name is looked up: `isLoopback` goes by the spelling. */
export function listenAddressesOf({ frontend, agent }: Config): readonly ListenAddress[] {
  return [
    { section: 'frontend', host: frontend.host, isLoopback: isLoopback(frontend.host) },
    ...(agent.port === undefined
      ? []
      : [{ section: 'agent' as const, host: agent.host, isLoopback: isLoopback(agent.host) }]),
  ];
}

/**
 * The same, but looks up the names, and listens on each address for a moment. It does so at any free port, because the
 * service may be running at the configured port.
 */
export function tryListenAddresses(config: Config): Promise<readonly ListenAddress[]> {
  return Promise.all(listenAddressesOf(config).map(tryListenAddress));
}

async function tryListenAddress({ section, host }: ListenAddress): Promise<ListenAddress> {
  const listeners = createListeners({ section, createServer: () => createServer() });
  try {
    await within(host, listeners.moveTo({ host, port: 0 }));
    return { section, host, isLoopback: areLoopback(listeners.addresses()) };
  } catch (cause) {
    if (!(cause instanceof ListenError)) throw cause;
    return { section, host, isLoopback: false, problem: cause.message };
  } finally {
    await listeners.close();
  }
}

async function within(host: string, listening: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const message = `cannot listen on ${host}: the name look-up did not end within ${WITHIN_MS / 1000} s`;
    timer = setTimeout(() => {
      reject(new ListenError(message));
    }, WITHIN_MS);
  });
  try {
    await Promise.race([listening, late]);
  } finally {
    clearTimeout(timer);
  }
}

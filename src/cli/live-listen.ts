import { createServer } from 'node:net';
import type { Config } from '../config/types.js';
import { ListenError } from '../errors.js';
import { areLoopback, isLoopback } from '../network/loopback.js';
import { createListeners } from '../sockets/listeners.js';

/** A part of the service that listens, and where it would. */
export interface ListeningPlace {
  readonly section: 'frontend' | 'agent';
  readonly host: string;
  /** Why it cannot. */
  readonly problem?: string;
  /** Only this host reaches it. */
  readonly isLoopback: boolean;
}

/** A name server that hangs is waited for no longer. */
const WITHIN_MS = 5000;

/** What the configuration wants to listen on, by the spelling alone. */
export function placesOf({ frontend, agent }: Config): readonly ListeningPlace[] {
  return [
    { section: 'frontend', host: frontend.host, isLoopback: isLoopback(frontend.host) },
    ...(agent.port === undefined
      ? []
      : [{ section: 'agent' as const, host: agent.host, isLoopback: isLoopback(agent.host) }]),
  ];
}

/**
 * The same, with the names looked up and each address listened on for a moment, at any free port: at its own the service
 * itself may be running.
 */
export function tryPlaces(config: Config): Promise<readonly ListeningPlace[]> {
  return Promise.all(placesOf(config).map(tryPlace));
}

async function tryPlace({ section, host }: ListeningPlace): Promise<ListeningPlace> {
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
    const message = `cannot listen on ${host}: its name was not looked up within ${WITHIN_MS / 1000} s`;
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

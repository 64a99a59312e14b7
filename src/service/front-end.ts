import type { Config } from '../config/types.js';
import type { ConfiguredListener } from './listen-addresses.js';
import { createAccessLine } from '../http/access-log.js';
import type { Breakage, Tally } from '../http/broken-connection.js';
import { type FrontEnd, type FrontEndOptions, listen } from '../http/frontend.js';
import { tlsOptions } from '../http/tls.js';
import type { LogLines } from './log-lines.js';
import type { Log } from '../log/logger.js';
import type { ListenAt } from '../sockets/listeners.js';

/** What {@link startFrontEnd} needs. */
export interface FrontEndParts extends Required<Pick<FrontEndOptions, 'handle' | 'connections' | 'access'>> {
  /** Counts the connections that end before they are a request. */
  readonly broken: Tally<Breakage>;
  readonly log: Log;
  readonly lines: LogLines;
}

/**
 * Starts the front end of a configuration. Resolves when it listens.
 *
 * @throws ListenError
 */
export async function startFrontEnd(config: Config, parts: FrontEndParts): Promise<ConfiguredListener> {
  const { handle, connections, access, broken, log, lines } = parts;
  let accessLine = createAccessLine(config.frontend.logFormat);
  let { proxyProtocol } = config.frontend;
  const frontEnd: FrontEnd = await listen({
    ...listenAtOf(config),
    handle,
    connections,
    access,
    proxyProtocol: {
      isExpected: () => proxyProtocol,
      onRefused(address, why) {
        broken.count('no-proxy-header');
        lines.noProxyHeader(address, why);
      },
      onUnexpected: lines.proxyHeader,
    },
    ...(log.isVerbose() && {
      onReply: (entry) => {
        log.write('verbose', accessLine(entry), { event: 'request', ...entry, tookUs: Math.round(entry.tookUs) });
      },
    }),
    onBroken(breakage, address, detail) {
      broken.count(breakage);
      lines.broken(breakage, address, detail);
    },
    onSkipped: lines.skipped,
  });
  lines.listening(config, frontEnd.addresses);
  let before = frontEnd.addresses.join();
  return {
    listeners: frontEnd.listeners,
    listenAtOf,
    reconfigured(next) {
      const now = frontEnd.addresses.join();
      if (now !== before) lines.listening(next, frontEnd.addresses);
      before = now;
      accessLine = createAccessLine(next.frontend.logFormat);
      ({ proxyProtocol } = next.frontend);
    },
    close: (withinMs) => frontEnd.close(withinMs),
  };
}

function listenAtOf({ frontend: { host, port, tls } }: Config): ListenAt {
  return { host, port, ...(tls && { tls: tlsOptions(tls) }) };
}

import type { Config } from '../config/types.js';
import type { Breakage, Tally } from '../http/broken-connection.js';
import { isAllowed } from '../network/allowed.js';
import { type AccessGate, createAccessGate } from '../sockets/access-gate.js';
import type { LogLines } from './log-lines.js';

/** The gate for all clients, of health checks and of agent checks: `frontend.allow` of the configuration in force. */
export function createAccess(
  inForce: () => Config,
  broken: Tally<Breakage>,
  lines: Pick<LogLines, 'broken'>,
): AccessGate {
  return createAccessGate({
    mayAsk(socket, client) {
      const { allow } = inForce().frontend;
      return allow === undefined || isAllowed(allow, socket, client);
    },
    onRefused(address) {
      broken.count('not-allowed');
      lines.broken('not-allowed', address, '');
    },
  });
}

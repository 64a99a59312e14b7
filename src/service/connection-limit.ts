import type { Config } from '../config/types.js';
import type { LogLines } from './log-lines.js';
import { type Connections, limitConnections } from '../sockets/open-connections.js';
import { type OpenFilesBudget, measureOpenFiles } from '../sockets/open-files.js';

/** One limit for the connections of all clients: health checks and agent checks together. */
export interface ConnectionLimit {
  readonly connections: Connections;
  /** A configuration with another number of routes allows another number of connections. */
  readonly reconfigure: (config: Config) => void;
}

/** Allows as many connections as the limit of open files leaves beside the polls. To be called at start: counts open files. */
export function createConnectionLimit(config: Config, lines: Pick<LogLines, 'crowding'>): ConnectionLimit {
  const budgetFor = measureOpenFiles();
  const budgetOf = ({ backend, cache: { learn } }: Config): OpenFilesBudget =>
    budgetFor(backend.routes.length + learn + 2); // 2: agent.route, and Patroni's timings
  let budget = budgetOf(config);
  const connections = limitConnections(budget.connections, (crowding) => {
    lines.crowding(crowding, budget);
  });
  return {
    connections,
    reconfigure(next) {
      budget = budgetOf(next);
      connections.max = budget.connections;
    },
  };
}

import type { Config } from '../config/types.js';
import type { LogLines } from './log-lines.js';
import { type Connections, boundConnections } from '../sockets/connection-bound.js';
import { measureRoom } from '../sockets/open-files.js';

/** The connections of all clients, whatever they ask: one bound for health checks and agent checks. */
export interface ConnectionLimit {
  readonly connections: Connections;
  /** Another configuration may leave room for others. */
  readonly reconfigure: (config: Config) => void;
}

/** As many as the limit of open files leaves beside the polls. To be called at the start: it counts what is open by then. */
export function createConnectionLimit(config: Config, lines: Pick<LogLines, 'crowding'>): ConnectionLimit {
  const roomFor = measureRoom();
  const roomOf = ({ backend, cache: { learn } }: Config): ReturnType<typeof roomFor> =>
    roomFor(backend.routes.length + learn + 2); // agent.route, and Patroni's timings
  let room = roomOf(config);
  const connections = boundConnections(room.connections, (crowding) => {
    lines.crowding(crowding, room);
  });
  return {
    connections,
    reconfigure(next) {
      room = roomOf(next);
      connections.max = room.connections;
    },
  };
}

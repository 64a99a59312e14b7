import type { Logger } from 'winston';
import type { Config } from './config.js';
import { createAccessLine } from './http/access-log.js';
import { type FrontEnd, type FrontEndOptions, listen } from './http/frontend.js';
import type { Place } from './http/listeners.js';
import { measureRoom } from './http/room.js';
import { tlsOptions } from './http/tls.js';
import type { LogLines } from './log-lines.js';

/** A front end that listens as the configuration says. */
export interface ConfiguredFrontEnd extends Pick<FrontEnd, 'addresses' | 'connections' | 'close'> {
  /** @throws ListenError when it cannot listen as another configuration says; then nothing has changed */
  readonly reconfigure: (config: Config) => Promise<void>;
}

/**
 * Listens, with room for as many connections as the limit of open files leaves beside the polls.
 *
 * @throws ListenError
 */
export async function startFrontEnd(
  config: Config,
  handle: FrontEndOptions['handle'],
  log: Logger,
  lines: LogLines,
): Promise<ConfiguredFrontEnd> {
  const roomFor = measureRoom();
  const roomOf = ({ backend, cache: { learn } }: Config): ReturnType<typeof roomFor> =>
    roomFor(backend.routes.length + learn + 1); // and one for Patroni's timings
  let room = roomOf(config);
  let accessLine = createAccessLine(config.frontend.logFormat);
  const frontEnd = await listen({
    ...placeOf(config),
    handle,
    ...(log.isVerboseEnabled() && {
      onReply: (entry) => {
        log.verbose(accessLine(entry), { event: 'request', ...entry });
      },
    }),
    onSkipped: lines.skipped,
    maxConnections: room.connections,
    onCrowding: (crowding) => {
      lines.crowding(crowding, room);
    },
  });
  lines.listening(config, frontEnd.addresses);
  return {
    get addresses() {
      return frontEnd.addresses;
    },
    get connections() {
      return frontEnd.connections;
    },
    close: (withinMs) => frontEnd.close(withinMs),
    async reconfigure(next) {
      const nextRoom = roomOf(next);
      const before = frontEnd.addresses.join();
      await frontEnd.change(placeOf(next), nextRoom.connections);
      if (frontEnd.addresses.join() !== before) lines.listening(next, frontEnd.addresses);
      room = nextRoom;
      accessLine = createAccessLine(next.frontend.logFormat);
    },
  };
}

function placeOf({ frontend: { host, port, tls } }: Config): Place {
  return { host, port, ...(tls && { tls: tlsOptions(tls) }) };
}

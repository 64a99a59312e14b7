import { createAgentServer } from '../agent-check/server.js';
import type { createAgentHandler } from '../agent-check/handler.js';
import type { Config } from '../config/types.js';
import type { ConfiguredListener } from './listen-addresses.js';
import type { LogLines } from './log-lines.js';
import type { Log } from '../log/logger.js';
import type { AccessGate } from '../sockets/access-gate.js';
import { type Connections, closeWithin } from '../sockets/open-connections.js';
import { type ListenAt, createListeners } from '../sockets/listeners.js';

/** What {@link startAgentChecks} needs. */
export interface AgentParts {
  readonly handle: ReturnType<typeof createAgentHandler>;
  readonly connections: Connections;
  readonly access: AccessGate;
  readonly log: Log;
  readonly lines: LogLines;
}

/**
 * Answers HAProxy's agent checks at `agent.port`. Listens nowhere while the configuration has no `agent.port`.
 *
 * @throws ListenError
 */
export async function startAgentChecks(initial: Config, parts: AgentParts): Promise<ConfiguredListener> {
  const { handle, connections, access, log, lines } = parts;
  let { agent } = initial;
  const listeners = createListeners({
    section: 'agent',
    onSkipped: lines.skipped,
    createServer() {
      const server = createAgentServer({
        handle: (question) => handle(question, agent),
        waitMs: () => agent.waitMs,
        ...(log.isVerbose() && { onReply: lines.agentCheck }),
      });
      connections.watch(server);
      access.guard(server);
      return server;
    },
  });
  let before = '';
  const reconfigured = (next: Config): void => {
    ({ agent } = next);
    const now = listeners.addresses();
    if (now.join() !== before) lines.agentListening(now, agent.route);
    before = now.join();
  };
  await listeners.moveTo(listenAtOf(initial));
  reconfigured(initial);
  return {
    listeners,
    listenAtOf,
    reconfigured,
    close: (withinMs) => closeWithin(withinMs, listeners, connections),
  };
}

function listenAtOf({ agent: { host, port } }: Config): ListenAt | undefined {
  return port === undefined ? undefined : { host, port };
}

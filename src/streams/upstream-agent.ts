import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { type LookupFunction, type Socket, isIP } from 'node:net';

/** How connections to the upstream are made. */
export interface UpstreamAgentOptions {
  readonly scheme: 'http' | 'https';
  readonly host: string;
  readonly lookup: LookupFunction;
  /** The longest a TCP connection may take, once the name is known, in milliseconds. */
  readonly connectMs: number;
  /** For `https`: PEM texts, and whether the upstream's certificate is checked. */
  readonly tls: {
    readonly insecure: boolean;
    readonly ca?: string | undefined;
    readonly cert?: string | undefined;
    readonly key?: string | undefined;
  };
}

/**
 * An agent that gives each poll a connection of its own, closed with the answer: Patroni serves its API from a few
 * workers without a socket time-out, and idle clients freeze it (patroni issue 3705).
 *
 * A connection that is not made within `connectMs` is given up. A frozen upstream's accept queue is soon full, and the
 * kernel then repeats its SYN after 1, 3, 7 s: a poll that waited for that would sleep through the thaw, where a new
 * one gets through at once.
 */
export function createUpstreamAgent(options: UpstreamAgentOptions): HttpAgent | HttpsAgent {
  const { scheme, host, lookup, connectMs, tls } = options;
  const common = { keepAlive: false, lookup, autoSelectFamily: true };
  const agent =
    scheme === 'http'
      ? new HttpAgent(common)
      : new HttpsAgent({ ...common, rejectUnauthorized: !tls.insecure, ca: tls.ca, cert: tls.cert, key: tls.key });
  const createConnection = agent.createConnection.bind(agent);
  agent.createConnection = (connectOptions, callback) => {
    const socket = createConnection(connectOptions, callback) as Socket;
    giveUpConnecting(socket, isIP(host) !== 0, connectMs);
    return socket;
  };
  return agent;
}

function giveUpConnecting(socket: Socket, nameIsKnown: boolean, connectMs: number): void {
  let timer: NodeJS.Timeout | undefined;
  const arm = (): void => {
    timer ??= setTimeout(() => {
      socket.destroy(Object.assign(new Error(`not connected within ${connectMs / 1000} s`), { code: 'ETIMEDOUT' }));
    }, connectMs);
  };
  const disarm = (): void => {
    clearTimeout(timer);
  };
  if (nameIsKnown) arm();
  else socket.once('lookup', arm);
  socket.once('connect', disarm).once('close', disarm);
}

import {
  type Behaviour,
  type Upstream,
  answering,
  dated,
  dripping,
  ending,
  pouring,
  resetting,
  silent,
  stalling,
  startUpstream,
} from '../../test/support/upstreams/upstream.js';
import { serveOrders } from '../../test/support/processes/child.js';
import { nowMs } from '../../test/support/time/monotonic.js';
import type { BehaviourName, UpstreamConnection, UpstreamOrder, UpstreamReport } from './upstream.js';

const behaviours: Readonly<Record<Exclude<BehaviourName, 'refused' | 'stalled TLS handshake'>, Behaviour>> = {
  healthy: dated,
  silent,
  'half headers': stalling('HTTP/1.0 200 OK\r\nContent-Ty'),
  drip: dripping(50),
  reset: resetting('HTTP/1.0 200 OK\r\n'),
  garbage: ending('\u0000\u0001 this is no HTTP \r\n\r\n'),
  '100 MB body': pouring(100_000_000),
  redirect: ending('HTTP/1.0 302 Found\r\nLocation: /replica\r\nContent-Type: text/plain\r\n\r\nelsewhere'),
  'status 500': answering(500, '{"state": "starting"}'),
  'status 503': answering(503, '{"state": "running", "role": "replica"}'),
};

let tls: { readonly cert: string; readonly key: string } | undefined;
let upstream: Upstream | undefined;
let port = 0;
/** True if the running upstream stalls before the TLS handshake. To change this, the process needs a new listener. */
let stallsHandshake = false;
const connections: UpstreamConnection[] = [];

serveOrders<UpstreamReport>(async (order: UpstreamOrder) => {
  switch (order.kind) {
    case 'start':
      ({ tls, port } = order);
      await behave('healthy');
      return report(nowMs());
    case 'behave':
      await behave(order.behaviour);
      return report(nowMs());
    case 'report':
      return report(order.sinceMs);
  }
});

function report(sinceMs: number): UpstreamReport {
  return {
    port,
    atMs: nowMs(),
    connections: connections.filter(({ askedMs, closedMs = Infinity }) => askedMs >= sinceMs || closedMs >= sinceMs),
  };
}

async function behave(name: BehaviourName): Promise<void> {
  const stalls = name === 'stalled TLS handshake';
  if (name === 'refused' || stalls !== stallsHandshake) {
    await upstream?.close();
    upstream = undefined;
  }
  if (name === 'refused') return;
  stallsHandshake = stalls;
  upstream ??= await startUpstream({
    port,
    ...(tls && !stalls && { tls }),
    ...(stalls && { onConnection: counted(silent) }),
  });
  port = upstream.port;
  if (name !== 'stalled TLS handshake') upstream.behave(counted(behaviours[name]));
}

function counted(behaviour: Behaviour): Behaviour {
  return (socket, head) => {
    const connection: UpstreamConnection = { route: head.split(' ')[1] ?? '?', askedMs: nowMs() };
    connections.push(connection);
    socket.once('close', () => {
      connection.closedMs = nowMs();
    });
    behaviour(socket, head);
  };
}

import { performance } from 'node:perf_hooks';
import { type ScriptedEtcd, startScriptedEtcd } from '../test/support/upstreams/etcd.js';
import { type Behaviour, answering, startUpstream } from '../test/support/upstreams/upstream.js';
import { clusterKey, type Patroni, timings } from './patroni.js';

/** Two scripted REST APIs that answer as a primary's and a replica's would, and a scripted etcd. There is no PostgreSQL. */
export async function startScriptedPatroni(): Promise<Patroni> {
  const [primary, replica, etcd] = await Promise.all([startUpstream(), startUpstream(), startScriptedEtcd()]);
  const answerAsPrimary = answeringAs('primary');
  primary.behave(answerAsPrimary);
  replica.behave(answeringAs('replica'));
  const loops = startLoops(etcd);
  let waiting: (() => void)[] = [];
  return {
    what: 'scripted Patroni',
    nodes: [
      { name: 'node1', restPort: primary.port, pgPort: primary.port },
      { name: 'node2', restPort: replica.port, pgPort: replica.port },
    ],
    etcdPort: etcd.port,
    hasPostgres: false,
    freeze: (part) => {
      loops.primaryRuns = part === 'api';
      primary.behave((socket, head) => {
        waiting.push(() => {
          if (socket.writable) answerAsPrimary(socket, head);
        });
      });
    },
    thaw: () => {
      loops.primaryRuns = true;
      primary.behave(answerAsPrimary);
      for (const answer of waiting) answer();
      waiting = [];
    },
    close: async () => {
      loops.stop();
      await Promise.all([primary.close(), replica.close(), etcd.close()]);
    },
  };
}

/** Patroni's status on the health routes: 200 to the questions whose answer is yes, 503 to the rest. */
function answeringAs(role: 'primary' | 'replica'): Behaviour {
  const yes = role === 'primary' ? ['/primary', '/read-only'] : ['/replica', '/read-only'];
  const body = `{"state": "running", "role": "${role}"}`;
  return (socket, head) => {
    answering(yes.includes(head.split(' ')[1] ?? '') ? 200 : 503, body)(socket, head);
  };
}

const [LEASE_OF_PRIMARY, LEASE_OF_REPLICA] = ['1', '2'];

/** Puts the keys of both nodes into etcd, and renews their leases as the HA loops do. */
function startLoops(etcd: ScriptedEtcd): { primaryRuns: boolean; stop(): void } {
  const put = (key: string, value: unknown, leaseId?: string): void => {
    etcd.put(`${clusterKey}/${key}`, typeof value === 'string' ? value : JSON.stringify(value), leaseId);
  };
  put('initialize', '7000000000000000001');
  put('config', timings);
  put('leader', 'node1', LEASE_OF_PRIMARY);
  put('members/node1', { state: 'running', role: 'primary', version: '4.1.4' }, LEASE_OF_PRIMARY);
  put('members/node2', { state: 'running', role: 'replica', version: '4.1.4' }, LEASE_OF_REPLICA);
  let renewedAtMs = performance.now();
  const loops = {
    primaryRuns: true,
    stop: () => {
      clearInterval(timer);
    },
  };
  const tick = (): void => {
    const nowMs = performance.now();
    if (loops.primaryRuns && nowMs - renewedAtMs >= timings.loop_wait * 1000) renewedAtMs = nowMs;
    const restS = Math.floor(timings.ttl - (nowMs - renewedAtMs) / 1000); // etcd tells whole seconds
    etcd.lease(LEASE_OF_PRIMARY, timings.ttl, Math.max(0, restS));
    etcd.lease(LEASE_OF_REPLICA, timings.ttl, timings.ttl - 1);
  };
  tick();
  const timer = setInterval(tick, 100);
  return loops;
}

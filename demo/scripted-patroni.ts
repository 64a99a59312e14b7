import { type Behaviour, answering, startUpstream } from '../test/support/upstreams/upstream.js';
import type { Patroni } from './patroni.js';

/** Two scripted REST APIs that answer as a primary's and a replica's would. There is no PostgreSQL behind them. */
export async function startScriptedPatroni(): Promise<Patroni> {
  const [primary, replica] = await Promise.all([startUpstream(), startUpstream()]);
  const answerAsPrimary = answeringAs('primary');
  primary.behave(answerAsPrimary);
  replica.behave(answeringAs('replica'));
  let waiting: (() => void)[] = [];
  return {
    what: 'scripted Patroni',
    nodes: [
      { name: 'node1', restPort: primary.port, pgPort: primary.port },
      { name: 'node2', restPort: replica.port, pgPort: replica.port },
    ],
    freeze: () => {
      primary.behave((socket, head) => {
        waiting.push(() => {
          if (socket.writable) answerAsPrimary(socket, head);
        });
      });
    },
    thaw: () => {
      primary.behave(answerAsPrimary);
      for (const answer of waiting) answer();
      waiting = [];
    },
    close: async () => {
      await Promise.all([primary.close(), replica.close()]);
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

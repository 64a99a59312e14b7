import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, it } from 'node:test';
import { freePort } from '../support/processes/ports.js';
import { isStopped } from '../support/measuring/proc.js';
import { type Service, startService } from '../support/processes/service.js';
import {
  type Behaviour,
  type Upstream,
  answering,
  delayed,
  routeOf,
  startUpstream,
} from '../support/upstreams/upstream.js';
import { eventually, within } from '../support/time/wait.js';

const UP = 'up ready 100%\n';
const UNCHANGED = 'no-answer-from-Patroni-yet\n';

/** Of a poll, and so of the patience after a standstill: as long as may be, since this machine may be busy. */
const TIMEOUT_S = 3.9;

const healthy = answering(200);

/** Stops a service that is running, and what Patroni does meanwhile. Resolves when it is stopped. */
type Stop = (service: Service, upstream: Upstream) => Promise<unknown>;

const stopAnywhere: Stop = async (service) => {
  service.signal('SIGSTOP');
  await untilStopped(service);
};

/** While a poll is in flight, whose answer then lies in its socket. */
const stopInFlight: Stop = (service, upstream) => {
  const stopped = new Promise<void>((resolve, reject) => {
    let isAsked = false;
    upstream.behave((socket, head) => {
      if (isAsked || routeOf(head) !== '/primary') {
        healthy(socket, head);
        return;
      }
      isAsked = true;
      service.signal('SIGSTOP');
      untilStopped(service).then(() => {
        healthy(socket, head);
        resolve();
      }, reject);
    });
  });
  return within('a poll is in flight, and the service stopped', 20_000, stopped);
};

const untilStopped = ({ pid }: Service): Promise<unknown> => eventually('it is stopped', 5000, () => isStopped(pid), 1);

async function check(port: number): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let text = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk));
  socket.write('/primary\n');
  await within('answered', 30_000, once(socket, 'close'));
  return text;
}

describe('agent checks of a service that stood still (SIGSTOP, SIGCONT)', { concurrency: true }, () => {
  for (const [patroni, behaviour, stop] of [
    ['answers at once', healthy, stopAnywhere],
    ['answers after 0.4 s', delayed(400, healthy), stopAnywhere],
    ['had answered a poll in flight', healthy, stopInFlight],
  ] as const satisfies readonly (readonly [string, Behaviour, Stop])[]) {
    it(`for 4, 7 and 12 s, while its Patroni ${patroni}, never say down`, async () => {
      const upstream = await startUpstream();
      upstream.behave(behaviour);
      const agentPort = await freePort();
      const service = await startService({
        config: {
          backend: { host: '127.0.0.1', port: upstream.port, timeout: TIMEOUT_S },
          agent: { port: agentPort },
        },
      });
      try {
        for (const stillS of [4, 7, 12]) {
          // Every route has an answer since the last stop: of two failures in a row, the second counts.
          await eventually('ready', 20_000, async () => (await service.get('/-/ready')).status === 200);
          await eventually('up', 20_000, async () => (await check(agentPort)) === UP);
          const before = service.output().length;
          await stop(service, upstream);
          await sleep(stillS * 1000); // the passing of time is what is tested
          const queued = Array.from({ length: 20 }, () => check(agentPort));
          service.signal('SIGCONT');
          const replies = await Promise.all(queued);
          await eventually('up again', 20_000, async () => {
            replies.push(await check(agentPort));
            return replies.at(-1) === UP;
          });
          const others = replies.filter((reply) => reply !== UP && reply !== UNCHANGED);
          assert.deepEqual(others, [], `after ${stillS} s`);
          assert.doesNotMatch(service.output().slice(before), /polls are failing/);
        }
      } finally {
        await service.close();
        await upstream.close();
      }
    });
  }
});

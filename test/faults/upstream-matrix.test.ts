import { after, before, describe, it } from 'node:test';
import { type Certificates, createCertificates, withoutOpenssl } from '../support/certificates.js';
import { type Fault, checkFault } from '../support/upstreams/fault-check.js';
import type { FlightCut } from '../support/upstreams/handshake-relay.js';
import { nowMs } from '../support/time/monotonic.js';
import {
  ELSEWHERE,
  NOBODY,
  type NamedScene,
  type PlainScene,
  type Scene,
  TIMEOUT_MS,
  type TlsScene,
  createNamedScene,
  createPlainScene,
  createTlsScene,
  withoutNames,
} from '../support/upstreams/scenes.js';
import {
  type Behaviour,
  PRIMARY_BODY,
  answering,
  dated,
  delayed,
  dripping,
  ending,
  flooding,
  pouring,
  resetting,
  routeOf,
  silent,
  stalling,
  trickling,
} from '../support/upstreams/upstream.js';
import { type Workspace, createWorkspace } from '../support/processes/workspace.js';

/** Faults at a time; each has a service, an upstream and checks of its own. */
const CONCURRENCY = 5;

/** What Patroni says of a healthy primary, whole. */
const STATUS_LINE = 'HTTP/1.1 200 OK\r\n';
const HEAD = `${STATUS_LINE}Content-Type: application/json\r\n`;

/** The upstream brings no answer: the last one stays for its time, and then there is none. */
function silence(name: string, behaviour: Behaviour): Fault<Scene> {
  const begin = (scene: Scene): void => {
    scene.behave(behaviour);
  };
  return { name, begin, becomes: 503 };
}

/** What it writes, and then each way of saying no more. */
function breakingOff(name: string, bytes: string): Fault<Scene>[] {
  return [
    silence(`${name}, then nothing`, stalling(bytes)),
    silence(`${name}, then a reset`, resetting(bytes)),
    silence(`${name}, then the end`, ending(bytes)),
  ];
}

/** The upstream says something else, and that is passed on. */
function answer(name: string, status: number, behaviour: Behaviour): Fault<Scene> {
  return { ...silence(name, behaviour), becomes: status, says: [status] };
}

/** 500, 501, and so on to 599, one a request. */
function counting(): Behaviour {
  let requests = 0;
  return (socket, head) => {
    requests += 1;
    answering(500 + (requests % 100))(socket, head);
  };
}

/** One behaviour, and the other, for so long in turn. */
function alternating(everyMs: number, one: Behaviour, other: Behaviour): Behaviour {
  return (socket, head) => {
    (Math.floor(nowMs() / everyMs) % 2 === 0 ? one : other)(socket, head);
  };
}

function redirecting(status: number, location: string): Fault<Scene> {
  const behaviour = ending(`HTTP/1.1 ${status} X\r\nLocation: ${location}\r\nContent-Length: 0\r\n\r\n`);
  return answer(`is redirected with ${status} to ${location}`, status, behaviour);
}

const FAULTS: readonly Fault<PlainScene>[] = [
  { name: 'refuses connections', begin: (scene) => scene.refuse(), becomes: 503 },
  { name: 'lets nobody in: its accept queue is full', begin: (scene) => scene.fillQueue(), becomes: 503 },
  silence('accepts and says nothing', silent),
  silence('resets', resetting()),
  silence('ends without a word', ending('')),
  ...breakingOff('says half a status line', STATUS_LINE.slice(0, 9)),
  ...breakingOff('says half the headers', HEAD.slice(0, 30)),
  ...breakingOff('says half a body of known length', `${HEAD}Content-Length: 67\r\n\r\n${PRIMARY_BODY.slice(0, 30)}`),
  ...breakingOff('says half a body of JSON', `${HEAD}\r\n${PRIMARY_BODY.slice(0, 30)}`),
  ...breakingOff('says half a chunk', `${HEAD}Transfer-Encoding: chunked\r\n\r\n43\r\n${PRIMARY_BODY.slice(0, 30)}`),
  ...breakingOff('says all chunks but the last', `${HEAD}Transfer-Encoding: chunked\r\n\r\n43\r\n${PRIMARY_BODY}\r\n`),
  silence('says a byte a second', trickling(`${HEAD}\r\n${PRIMARY_BODY}`, 1000)),
  silence('drips its body for ever', dripping(20)),
  silence('pours 100 MB', pouring(100_000_000)),
  silence('pours chunks of a byte', flooding(`${HEAD}Transfer-Encoding: chunked\r\n\r\n`, '1\r\nx\r\n')),
  silence('has an endless status line', flooding('HTTP/1.1 200 ', 'x')),
  silence('has endless headers', flooding(STATUS_LINE, 'X-A: b\r\n')),
  silence('has an endless header', flooding(`${STATUS_LINE}X-A: `, 'b')),
  silence('has endless trailers', flooding(`${HEAD}Transfer-Encoding: chunked\r\n\r\n0\r\n`, 'X-A: b\r\n')),
  silence('floods with 1xx', flooding('', 'HTTP/1.1 102 Processing\r\n\r\n')),
  silence('says 1xx again and again', trickling('HTTP/1.1 102 Processing\r\n\r\n'.repeat(500), 5)),
  silence('switches protocols', stalling('HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n')),
  silence('speaks garbage', ending('\0\x01\x02 garbage \xff\r\n\r\n')),
  silence('speaks endless garbage', flooding('', '\xff\0')),
  silence('speaks HTTP/0.9', ending(PRIMARY_BODY)),
  silence('speaks TLS', ending('\x15\x03\x03\0\x02\x02\x28')),
  ...breakingOff('says a Content-Length that is too long', `${HEAD}Content-Length: 999\r\n\r\n${PRIMARY_BODY}`),
  ...[
    ['is too short', '9'],
    ['is negative', '-67'],
    ['is no number', '0x43'],
    ['is beyond all bounds', '9'.repeat(30)],
    ['comes twice and differs', '67\r\nContent-Length: 9'],
    ['comes beside chunks', '67\r\nTransfer-Encoding: chunked'],
  ].map(([what = '', length = '']) =>
    silence(`says a Content-Length that ${what}`, ending(`${HEAD}Content-Length: ${length}\r\n\r\n${PRIMARY_BODY}`)),
  ),
  redirecting(301, '/primary'),
  redirecting(302, 'http://127.0.0.1:1/'),
  redirecting(307, '//127.0.0.1/primary'),
  answer('says 500', 500, answering(500)),
  answer('says 503', 503, answering(503)),
  answer('says 599', 599, answering(599)),
  answer('says a status outside of HTTP', 502, ending('HTTP/1.1 999 X\r\n\r\n')),
  {
    name: 'says 500 to 599 in turn',
    begin: (scene) => {
      scene.behave(counting());
    },
    says: Array.from({ length: 100 }, (_, index) => 500 + index),
  },
  {
    name: 'flaps between 200 and 503 every 50 ms',
    begin: (scene) => {
      scene.behave(alternating(50, dated, answering(503)));
    },
    says: [503],
  },
  {
    name: 'flaps between 200 and a reset every 50 ms',
    begin: (scene) => {
      scene.behave(alternating(50, dated, resetting()));
    },
  },
  {
    name: 'hangs for one route while it answers the others',
    begin: (scene) => {
      scene.behave((socket, head) => {
        if (routeOf(head) !== '/primary') dated(socket, head);
      });
    },
    becomes: 503,
    spares: ['/replica', '/read-only'],
  },
  {
    name: 'restarts on its port within the time to live: not one check sees it',
    begin: async (scene) => {
      await scene.refuse();
      await scene.heal();
    },
    spares: ['/primary', '/replica', '/read-only'],
  },
  {
    name: 'is slow, within the deadline',
    begin: (scene) => {
      scene.behave((socket, head) => {
        const askedMs = nowMs();
        delayed(TIMEOUT_MS / 2, answering(200, JSON.stringify({ askedMs })))(socket, head);
      });
    },
  },
  silence('is slow, and answers just after the deadline', delayed(TIMEOUT_MS + 20, dated)),
];

/** The upstream's side of the handshake, or of what follows it, ends early. */
function cutting(name: string, where: FlightCut): Fault<TlsScene> {
  return {
    name: `${name}, then ${where.then === 'reset' ? 'a reset' : 'nothing'}`,
    begin: (scene) => {
      scene.cut(where);
    },
    becomes: 503,
  };
}

function cuttingFlight(flight: number, name: string): Fault<TlsScene>[] {
  return [
    cutting(`says nothing of ${name}`, { flight, share: 0, then: 'silence' }),
    cutting(`says half of ${name}`, { flight, share: 0.5, then: 'silence' }),
    cutting(`says half of ${name}`, { flight, share: 0.5, then: 'reset' }),
    cutting(`says all but the end of ${name}`, { flight, share: 0.9, then: 'silence' }),
  ];
}

function instead(name: string, behaviour: Behaviour): Fault<TlsScene> {
  return {
    name,
    begin: (scene) => {
      scene.instead(behaviour);
    },
    becomes: 503,
  };
}

const TLS_FAULTS: readonly Fault<TlsScene>[] = [
  ...cuttingFlight(0, 'the flight after the ClientHello'),
  cutting('says three bytes of the first record', { flight: 0, share: 0.002, then: 'silence' }),
  cutting('says nothing after the client has spoken again', { flight: 1, share: 0, then: 'silence' }),
  silence('shakes hands and says nothing', silent),
  cutting('says half of what follows the handshake', { flight: 1, share: 0.5, then: 'reset' }),
];

const TLS_1_2_FAULTS: readonly Fault<TlsScene>[] = [
  ...cuttingFlight(0, 'the flight after the ClientHello'),
  ...cuttingFlight(1, 'the flight that ends the handshake'),
  silence('shakes hands and says nothing', silent),
  instead('speaks plain HTTP', ending('HTTP/1.0 400 Bad Request\r\n\r\n')),
  instead('sends an alert', ending('\x15\x03\x03\0\x02\x02\x28')),
  instead('speaks endless garbage', flooding('', '\xff\0')),
  instead('accepts and ends', ending('')),
];

const NAME_FAULTS: readonly Fault<NamedScene>[] = [
  ...(['NXDOMAIN', 'SERVFAIL', NOBODY] as const).map((said): Fault<NamedScene> => ({
    name: said === NOBODY ? 'changes to an address at which nobody listens' : `is answered ${said}`,
    begin: (scene) => {
      scene.say(said);
    },
    becomes: 503,
  })),
  {
    name: 'is not answered',
    begin: (scene) => {
      scene.say('silence');
    },
    becomes: 503,
  },
  {
    name: 'changes its address, and the old one hangs: the new one is asked',
    begin: (scene) => {
      scene.behave(silent);
      scene.say(ELSEWHERE);
    },
    becomes: 500,
    says: [500],
  },
];

/** A test for each fault, in scenes that are lent to one at a time. One in which an assertion failed is not lent again. */
function matrix<S extends Scene>(whose: string, faults: readonly Fault<S>[], create: () => Promise<S>): void {
  const idle: S[] = [];
  const all: S[] = [];
  after(() => Promise.all(all.map((scene) => scene.close())));
  for (const fault of faults) {
    it(`${whose} ${fault.name}`, async () => {
      const scene = idle.pop() ?? (await create());
      if (!all.includes(scene)) all.push(scene);
      await checkFault(scene, fault);
      idle.push(scene);
    });
  }
}

const noTls = await withoutOpenssl();

describe('what must hold whatever is wrong with the upstream', { concurrency: CONCURRENCY }, () => {
  matrix('that', FAULTS, createPlainScene);
});

describe('what must hold whatever is wrong with its TLS', { skip: noTls, concurrency: CONCURRENCY }, () => {
  let workspace: Workspace;
  let certificates: Certificates;
  before(async () => {
    workspace = await createWorkspace();
    certificates = await createCertificates(workspace.dir);
  });
  after(() => workspace.close());
  matrix('TLS 1.3 that', TLS_FAULTS, () => createTlsScene('TLSv1.3', certificates));
  matrix('TLS 1.2 that', TLS_1_2_FAULTS, () => createTlsScene('TLSv1.2', certificates));
});

describe('what must hold whatever is wrong with its name', { skip: withoutNames, concurrency: CONCURRENCY }, () => {
  matrix('a name that', NAME_FAULTS, createNamedScene);
});

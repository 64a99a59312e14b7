import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { describeRecording } from '../../src/flight-recorder/describe.js';
import { type RecordingParts, recordingOf } from '../../src/flight-recorder/recording.js';
import type { HostSample } from '../../src/flight-recorder/types.js';
import { pressureIn } from '../../src/linux/pressure.js';
import type { CanonicalRoute } from '../../src/patroni/types.js';
import { answer } from '../support/time/marbles.js';

const route = '/primary' as CanonicalRoute;

function sample(acceptQueue: number, state: string, cpuMs: number, startedAt = 5): HostSample {
  const process = { pid: 7, state, threads: 9, cpuMs, startedAt, openFiles: 30, openFilesLimit: 1024 };
  return { patroni: { kind: 'listens', acceptQueue, process }, io: { some: 12.5, full: 3 } };
}

function parts(changed: Partial<RecordingParts> = {}): RecordingParts {
  return {
    ...{ look: 1, route, failure: 'poll timed out (no complete answer within 2 s)', nowMs: 20_000, wallMs: 1_000_000 },
    polls: [],
    samples: [
      { atMs: 10_000, value: sample(0, 'S', 500) },
      { atMs: 20_000, value: sample(4, 'T', 510) },
    ],
    lags: [{ atMs: 1, value: 3.4 }],
    ...changed,
  };
}

describe('a recording', () => {
  it("has Patroni's accept queue, state, files, and CPU time since the sample before", () => {
    const { patroni, process, io } = recordingOf(parts());
    const common = { threads: 9, openFiles: 30, openFilesLimit: 1024 };
    assert.deepEqual(patroni, [
      { agoMs: 10_000, acceptQueue: 0, state: 'S', ...common },
      { agoMs: 0, acceptQueue: 4, state: 'T', cpuMs: 10, ...common },
    ]);
    assert.deepEqual([process, io], ['seen', { some: 12.5, full: 3 }]);
  });

  it('has no CPU time if the process is another one', () => {
    const samples = [
      { atMs: 10_000, value: sample(0, 'S', 500, 4) },
      { atMs: 20_000, value: sample(4, 'S', 10, 5) },
    ];
    assert.equal(recordingOf(parts({ samples })).patroni[1]?.cpuMs, undefined);
  });

  it('says how old the news of the DCS is', () => {
    const body = Buffer.from('{"dcs_last_seen": 993}');
    const sent = { sentAtMs: 17_000, endedAtMs: 17_500 };
    const answered = { kind: 'answered', answer: { ...answer(200), body }, ...sent } as const;
    const { dcsLastSeen } = recordingOf(parts({ lastAnswered: answered }));
    assert.deepEqual(dcsLastSeen, { agoMs: 7000, answerAgoMs: 2500 });
  });

  it('is one line for people', () => {
    assert.equal(
      describeRecording(recordingOf(parts())),
      'flight recorder: /primary: poll timed out (no complete answer within 2 s); accept queue of Patroni: 4 (samples: 0, 4); ' +
        'its process: T (stopped by a signal), 9 threads, 30 open files of 1024, 10 ms of CPU since the sample before; ' +
        'own event loop: late by 3 ms at most; IO pressure 12.5 %',
    );
    const other = (value: HostSample): string =>
      describeRecording(recordingOf(parts({ samples: [{ atMs: 20_000, value }] })));
    assert.match(
      other({ patroni: { kind: 'listens', acceptQueue: 2 } }),
      /accept queue of Patroni: 2 \(samples: 2\); its process: not permitted to see;/,
    );
    assert.match(other({ patroni: { kind: 'gone' } }), /nobody listens at the port of Patroni;/);
    assert.match(other({ patroni: { kind: 'other-host' } }), /Patroni is on another host;/);
    assert.match(other({ patroni: { kind: 'late' } }), /the kernel has not told about Patroni in time;/);
  });
});

describe('/proc/pressure', () => {
  it('tells the shares of the last ten seconds', () => {
    const text = 'some avg10=1.53 avg60=0.87 avg300=0.19 total=1234\nfull avg10=0.20 avg60=0.10 avg300=0.00 total=99\n';
    assert.deepEqual(pressureIn(text), { some: 1.53, full: 0.2 });
    assert.equal(pressureIn(''), undefined);
    assert.equal(pressureIn('some avg10=x avg60=1'), undefined);
  });
});

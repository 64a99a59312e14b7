import assert from 'node:assert/strict';
import { renameSync, writeFileSync } from 'node:fs';
import { after, afterEach, before, describe, it } from 'node:test';
import { tooOld } from '../support/measuring/ages.js';
import { type Sample, startSteadyChecks } from '../support/clients/checks.js';
import type { Worker } from '../support/processes/child.js';
import { findProgram, skipReason } from '../support/processes/programs.js';
import { type Service, startService } from '../support/processes/service.js';
import { type Upstream, dated, silent, startUpstream } from '../support/upstreams/upstream.js';
import { always, eventually } from '../support/time/wait.js';
import { type Workspace, createWorkspace } from '../support/processes/workspace.js';

const TTL_MS = 1000;

/** From the moment at which a poll is sent to that at which the upstream has it, on a busy machine. */
const NOISE_MS = 300;

const skip = await skipReason(['faketime']);

/** libfaketime puts the wall clock of a running process wherever a file says, and leaves the monotonic one alone. */
describe('a wall clock that is set for real, hours forward and back', { skip }, () => {
  let workspace: Workspace;
  let upstream: Upstream;
  let service: Service;
  let checks: Worker<readonly Sample[]> | undefined;
  let offsetFile: string;
  const setClock = (offset: string): void => {
    writeFileSync(`${offsetFile}.next`, `${offset}\n`);
    renameSync(`${offsetFile}.next`, offsetFile); // in one step: the service reads it whenever it asks for the time
  };
  before(async () => {
    workspace = await createWorkspace();
    offsetFile = await workspace.write('offset', '+0\n');
    upstream = await startUpstream();
    const env = {
      LD_PRELOAD: findProgram('faketime'),
      FAKETIME_TIMESTAMP_FILE: offsetFile,
      FAKETIME_NO_CACHE: '1',
      DONT_FAKE_MONOTONIC: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    };
    const backend = { host: '127.0.0.1', port: upstream.port };
    service = await startService({ config: { backend, cache: { ttl: TTL_MS / 1000, interval: 0.1 } }, env });
  });
  afterEach(() => checks?.close());
  after(async () => {
    await service.close();
    await upstream.close();
    await workspace.close();
  });

  /** The time of the newest log line of a request is off by so many hours: the service's wall clock is where it should be. */
  async function untilClockIs(hours: number): Promise<void> {
    await eventually(`its wall clock is off by ${hours} h`, 5000, async () => {
      await service.get('/primary');
      const lines = service.output().trim().split('\n');
      const at = Date.parse(lines.at(-1)?.split(' ')[0] ?? '');
      return Math.abs(at - new Date().getTime() - hours * 3_600_000) < 60_000;
    });
  }

  for (const hours of [5, -5]) {
    it(`changes no reply, and lets no answer live longer or shorter: ${hours} h`, async () => {
      upstream.behave(dated);
      await eventually('/primary is 200', 5000, async () => (await service.get('/primary')).status === 200);
      checks = await startSteadyChecks({ ports: [service.port], routes: ['/primary'], perSecond: 50 });
      setClock(`${hours > 0 ? '+' : ''}${hours}h`);
      await untilClockIs(hours);
      const healthy = await checks.end();
      assert.deepEqual([...new Set(healthy.map(({ status }) => status))], [200], 'while Patroni answers');

      checks = await startSteadyChecks({ ports: [service.port], routes: ['/primary'], perSecond: 50 });
      upstream.behave(silent);
      setClock('+0');
      await untilClockIs(0);
      await eventually('/primary is 503', 5000, async () => (await service.get('/primary')).status === 503);
      await always('/primary stays 503', 200, async () => (await service.get('/primary')).status === 503);
      const samples = await checks.end();
      assert.deepEqual(tooOld(samples, TTL_MS), []);
      for (const { status } of samples) assert.ok([200, 503].includes(status), String(status));
      const lastAskedMs = Math.max(...samples.map(({ askedMs = -Infinity }) => askedMs));
      const firstStale = samples.find(({ status }) => status === 503);
      const livedMs = (firstStale?.endMs ?? NaN) - lastAskedMs;
      assert.ok(livedMs > TTL_MS - NOISE_MS, `the last answer lived ${livedMs} ms`);
    });
  }
});

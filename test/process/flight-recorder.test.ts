import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Recording } from '../../src/flight-recorder/types.js';
import { type Service, startService } from '../support/processes/service.js';
import { always, eventually } from '../support/time/wait.js';
import { type Upstream, silent, startUpstream } from '../support/upstreams/upstream.js';

describe('the flight recorder of the service', () => {
  let upstream: Upstream;
  let service: Service;
  before(async () => {
    upstream = await startUpstream();
    service = await startService({
      config: { backend: { host: '127.0.0.1', port: upstream.port, timeout: 0.3 }, log: { format: 'json' } },
      flags: [],
    });
    await eventually('the service is ready', 10_000, async () => (await service.get('/-/ready')).status === 200);
  });
  after(async () => {
    await service.close();
    await upstream.close();
  });

  const recordings = (): readonly (Recording & { readonly level: string; readonly message: string })[] =>
    service
      .output()
      .split('\n')
      .filter((line) => line.includes('"event":"flight-recording"'))
      .map((line) => JSON.parse(line) as never);

  it('logs the facts once when Patroni freezes, and the status page has them', async () => {
    upstream.behave(silent);
    await eventually('they are in the log', 10_000, () => recordings().length > 0);
    await always('once', 2000, () => recordings().length === 1);
    const [recording] = recordings();
    assert.ok(recording);
    assert.match(recording.failure, /^poll timed out /);
    assert.deepEqual([recording.look, recording.level], [1, 'warn']);
    const polls = recording.polls.find(({ route }) => route === recording.route);
    assert.ok(polls && polls.answered > 0 && polls.failed > 0, JSON.stringify(polls));
    const last = recording.patroni.at(-1);
    assert.equal(last?.acceptQueue, 0, 'the scripted Patroni accepts each connection');
    assert.match(last.state ?? 'not permitted', /^[RS]$|^not permitted$/);
    assert.match(recording.message, /^flight recorder: \/[a-z-]+: poll timed out .*accept queue of Patroni: 0/);
    const page = await service.get('/-/status.json');
    const report = JSON.parse(page.kind === 'reply' ? page.body : '{}') as { 'flight-recording'?: Recording };
    assert.equal(report['flight-recording']?.at, recording.at);
    const html = await service.get('/-/status');
    assert.match(html.kind === 'reply' ? html.body : '', /<details id="recording">.*flight recorder: /);
  });
});

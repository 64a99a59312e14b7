import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { authority, withoutZone } from '../../src/network/authority.js';
import { type ConfigObject, startService } from '../support/processes/service.js';
import { answering, startUpstream } from '../support/upstreams/upstream.js';
import { eventually } from '../support/time/wait.js';

describe('host and port', () => {
  it('are written with brackets around an IPv6 address alone', () => {
    assert.equal(authority('localhost', 8008), 'localhost:8008');
    assert.equal(authority('10.0.0.1', 8008), '10.0.0.1:8008');
    assert.equal(authority('::1', 8008), '[::1]:8008');
    assert.equal(authority('fe80::1%eth0', 8008), '[fe80::1%eth0]:8008');
  });

  it('have a zone in an IPv6 address alone', () => {
    assert.equal(withoutZone('fe80::1%eth0'), 'fe80::1');
    for (const host of ['::1', '10.0.0.1', 'localhost']) assert.equal(withoutZone(host), host);
  });
});

describe('an IPv6 address of Patroni', () => {
  for (const host of ['::1', '::1%lo']) {
    it(`is asked, and written in brackets wherever it is shown: ${host}`, async () => {
      const upstream = await startUpstream({ host: '::1' });
      upstream.behave(answering(200));
      const config: ConfigObject = { backend: { host, port: upstream.port }, frontend: { host: '127.0.0.1' } };
      const service = await startService({ config });
      await eventually('ready', 10_000, async () => (await service.get('/-/ready')).status === 200);
      const url = `http://[${host}]:${upstream.port}`;
      assert.ok(service.output().includes(`polling ${url} for `), service.output());
      const status = await service.get('/-/status.json');
      assert.ok(status.kind !== 'failure' && status.body.includes(`"${url}"`));
      assert.ok(upstream.requests.length > 0);
      await service.close();
      await upstream.close();
    });
  }
});

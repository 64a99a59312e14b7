import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { type Service, startService } from '../support/service.js';
import { type Upstream, answering, startUpstream } from '../support/upstream.js';
import { eventually, within } from '../support/wait.js';

/** Files that somebody may have in place of the configuration when SIGHUP comes, and why they are refused. */
const FILES: readonly (readonly [name: string, text: string, why: RegExp])[] = [
  [
    'merge keys of 500 bytes that double thirty times',
    Array.from({ length: 30 }, (_, index) => `a${index}: &a${index} {<<: [*a${index - 1}, *a${index - 1}]}`)
      .join('\n')
      .replace('<<: [*a-1, *a-1]', 'k: 1'),
    /aliases come to more than/,
  ],
  ['ten thousand brackets', `a: ${'['.repeat(10_000)}`, /nested more than 20 levels deep/],
];

describe('SIGHUP with a file that is no configuration', () => {
  let upstream: Upstream;
  let service: Service;
  before(async () => {
    upstream = await startUpstream();
    upstream.behave(answering(200));
  });
  after(() => upstream.close());
  beforeEach(async () => {
    service = await startService({ config: { backend: { host: '127.0.0.1', port: upstream.port } }, flags: [] });
    await eventually('ready', 10_000, async () => (await service.get('/-/ready')).status === 200);
  });
  afterEach(() => service.close());

  for (const [name, text, why] of FILES) {
    it(`refuses ${name}, goes on answering where it was, and ends as asked`, async () => {
      await writeFile(service.configFile, text);
      service.signal('SIGHUP');
      await eventually('it is refused', 10_000, () => service.output().includes('not reloaded'));
      assert.match(service.output(), why);
      assert.equal((await service.get('/primary')).status, 200);
      service.signal('SIGTERM');
      assert.equal((await within('it ends', 5000, service.exit)).code, 0);
    });
  }
});

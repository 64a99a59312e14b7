import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { ask } from '../support/clients/http-get.js';
import { freePort } from '../support/processes/ports.js';
import { mainFile } from '../support/processes/main-file.js';
import { type Service, startService } from '../support/processes/service.js';
import { type Upstream, answering, startUpstream } from '../support/upstreams/upstream.js';
import { eventually, within } from '../support/time/wait.js';
import { createWorkspace } from '../support/processes/workspace.js';

/** Files that somebody may have in place of the configuration when SIGHUP comes, and why they are refused. */
const FILES: readonly (readonly [name: string, text: string, why: RegExp])[] = [
  [
    'merge keys of 500 bytes that double thirty times',
    Array.from({ length: 30 }, (_, index) => `a${index}: &a${index} {<<: [*a${index - 1}, *a${index - 1}]}`)
      .join('\n')
      .replace('<<: [*a-1, *a-1]', 'k: 1'),
    /the aliases here make more than/,
  ],
  ['an empty file', '', /the file has no keys \(it is empty, or has only comments\)/],
  ['a file with only comments', '# soon\n', /the file has no keys/],
  ['a file cut off behind its first word', 'frontend:\n', /the file no longer has any key; before, it had some/],
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
      await eventually(`it is refused: ${why.source}`, 10_000, () => {
        return service.output().includes('not reloaded') && why.test(service.output());
      });
      assert.equal((await service.get('/primary')).status, 200);
      service.signal('SIGTERM');
      assert.equal((await within('it ends', 5000, service.exit)).code, 0);
    });
  }

  it('warns of a section without keys, and of a last line without a line feed, with the missing keys', async () => {
    const { port } = service;
    await writeFile(service.configFile, `frontend: {host: 127.0.0.1, port: ${port}}`);
    service.signal('SIGHUP');
    await eventually('it is reloaded', 10_000, () =>
      service.output().includes('reloaded; changed: backend.host, backend.port'),
    );
    assert.match(
      service.output(),
      /warn: .*config\.yml:1:\d+: the last line does not end with a line feed: is the file cut off here\?\n/,
    );
    assert.match(
      service.output(),
      /warn: .*config\.yml: the file no longer has any key of the section backend \(before: host, port\);/,
    );
  });
});

describe('a configuration that can be read once: --config <(...)', () => {
  it('is kept at SIGHUP', async () => {
    const workspace = await createWorkspace();
    const port = await freePort();
    const text = JSON.stringify({ frontend: { host: '127.0.0.1', port } });
    const file = await workspace.write('config.yml', text);
    const script = 'exec "$0" "$1" --config <(cat "$2")';
    const service = await workspace.start('patroniglue', 'bash', ['-c', script, process.execPath, mainFile, file]);
    await eventually('it listens', 10_000, () => service.output().includes('is listening on'));
    service.signal('SIGHUP');
    await eventually('it is refused', 10_000, () => /not reloaded, .*: the file has no keys/.test(service.output()));
    assert.equal((await ask(port, '/-/healthy')).status, 200);
    await workspace.close();
  });
});

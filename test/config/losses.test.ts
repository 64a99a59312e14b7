import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { loadConfig } from '../../src/config/load.js';
import { cutOffIn, lossesOf } from '../../src/config/losses.js';
import { ConfigError } from '../../src/errors.js';

const BEFORE = 'frontend:\n  host: 10.0.0.11\n  port: 8009\ncache:\n  ttl: 4\n  interval: 1\nlog:\n  format: json\n';

describe('what a file has lost since it was read before', () => {
  const warnings: readonly (readonly [name: string, after: string, ...expected: string[]])[] = [
    ['nothing if it is the same', BEFORE],
    ['nothing if a key was removed or changed', BEFORE.replace('  interval: 1\n', '').replace('8009', '8010')],
    [
      'a missing section, with its keys',
      BEFORE.replace(/cache:[^]*(?=log:)/, ''),
      'c.yml: the file no longer has any key of the section cache (before: ttl, interval); patroniglue uses the defaults',
    ],
    [
      'a section without keys',
      BEFORE.replace(/ {2}ttl[^]*(?=log:)/, ''),
      'c.yml: the file no longer has any key of the section cache (before: ttl, interval); patroniglue uses the defaults',
    ],
    [
      'the line feed of its last line',
      BEFORE.trimEnd(),
      'c.yml:8:15: the last line does not end with a line feed: is the file cut off here?',
    ],
    [
      'the sections after the position where it is cut off',
      BEFORE.slice(0, BEFORE.indexOf('9\ncache')),
      'c.yml:3:12: the last line does not end with a line feed: is the file cut off here?',
      'c.yml: the file no longer has any key of the section cache (before: ttl, interval); patroniglue uses the defaults',
      'c.yml: the file no longer has any key of the section log (before: format); patroniglue uses the defaults',
    ],
    [
      'keys of the section in which it is cut off',
      'frontend:\n  host: 10.0.0.11\ncache:\n  ttl: 4\nlog:\n  format: json',
      'c.yml:6:15: the last line does not end with a line feed: is the file cut off here?; no longer in the file: frontend.port, cache.interval',
    ],
  ];
  for (const [name, text, ...expected] of warnings) {
    it(`is ${name}`, () => {
      assert.deepEqual(lossesOf('c.yml', BEFORE, text), { isAll: false, warnings: expected });
    });
  }

  it('is no line feed if it had none before', () => {
    assert.deepEqual(lossesOf('c.yml', 'cache: {ttl: 4}', 'cache: {ttl: 5}').warnings, []);
  });

  it('is everything if no key has a value any more', () => {
    assert.equal(lossesOf('c.yml', BEFORE, 'frontend:\n').isAll, true);
    assert.equal(lossesOf('c.yml', '{}\n', 'frontend:\n').isAll, false, 'nothing was there');
  });
});

describe('a file that may be cut off', () => {
  it('has a last line without a line feed', () => {
    assert.deepEqual(cutOffIn('frontend:\n  port: 80'), {
      line: 2,
      column: 11,
      message: 'the last line does not end with a line feed: is the file cut off here?',
    });
    for (const text of ['', 'a: 1\n', 'a: 1\r\n']) assert.equal(cutOffIn(text), undefined, JSON.stringify(text));
  });
});

describe('a configuration that is read again', () => {
  let dir: string;
  let file: string;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'patroniglue-losses-'));
    file = join(dir, 'config.yml');
  });
  after(() => rm(dir, { recursive: true, force: true }));

  it('has a warning for the missing section, once', async () => {
    await writeFile(file, BEFORE);
    const first = await loadConfig(file);
    await writeFile(file, 'cache:\n  ttl: 4\n  interval: 1\nlog:\n  format: json\n');
    const second = await loadConfig(file, first);
    assert.deepEqual(second.config.warnings, [
      `${file}: the file no longer has any key of the section frontend (before: host, port); patroniglue uses the defaults`,
    ]);
    assert.deepEqual((await loadConfig(file, second)).config.warnings, []);
  });

  it('is refused if it no longer has any key', async () => {
    await writeFile(file, BEFORE);
    const first = await loadConfig(file);
    for (const text of ['frontend:\n', '# nothing\n', '']) {
      await writeFile(file, text);
      await assert.rejects(loadConfig(file, first), ConfigError, text);
    }
    await writeFile(file, '{}\n');
    await assert.rejects(loadConfig(file, first), ConfigError);
    assert.deepEqual((await loadConfig(file)).config.warnings, [], 'a start may mean it');
  });
});

import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { breakages } from '../../src/http/broken-connection.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const read = (file: string): string => readFileSync(join(root, file), 'utf8');

const markdown = ['README.md', ...readdirSync(join(root, 'docs')).map((file) => `docs/${file}`)].filter((file) =>
  file.endsWith('.md'),
);
const source = readdirSync(join(root, 'src'), { recursive: true })
  .map((file) => join('src', String(file)))
  .filter((file) => file.endsWith('.ts'))
  .map(read)
  .join('\n');

function found(pattern: RegExp, text: string): readonly string[] {
  return [...new Set(Array.from(text.matchAll(pattern), ([, one = '']) => one))].sort();
}

describe('docs/operations.md', () => {
  const operations = read('docs/operations.md');

  it('explains each event of the log, and no other', () => {
    const own = found(/event: '([a-z-]+)'/g, source);
    const changes = found(/readonly kind: '([a-z-]+)'/g, read('src/streams/changes.ts'));
    assert.ok(own.length > 10 && changes.length > 5, 'they are found in the source');
    const entry = /^#### `([a-z-]+)`.*\n\n- Level: `(?:warn|info|verbose|debug)`\. JSON fields: .*\n- Line:\s+`.*`/gm;
    const explained = found(entry, operations);
    assert.deepEqual(explained, [...own, ...changes].sort());
    const headings = operations.match(/^#### /gm) ?? [];
    assert.equal(operations.match(entry)?.length, headings.length, 'each entry has its level, fields and line');
  });

  it('explains each metric, and no other', () => {
    const metrics = found(/'((?:patroniglue|process)_[a-z_]+)'/g, source);
    assert.ok(metrics.length > 15, 'they are found in the source');
    assert.deepEqual(found(/`((?:patroniglue|process)_[a-z_]+)[`{]/g, operations), metrics);
  });

  it('explains each reason why a connection ends before it is a request', () => {
    const chapter = operations.split('### Connections that end before they are a request')[1]?.split('###')[0] ?? '';
    assert.deepEqual(found(/^- `([a-z-]+)`: /gm, chapter), [...breakages].sort());
  });

  it('explains each reason why a poll fails', () => {
    const reasons = found(/^ {2}'?([a-z-]+)'?: '/gm, read('src/patroni/snapshot-text.ts').split('};')[0] ?? '');
    assert.ok(reasons.length > 10, 'they are found in the source');
    const chapter = operations.split('### Why a poll failed')[1]?.split('###')[0] ?? '';
    assert.deepEqual(found(/^- `([a-z-]+)`: /gm, chapter), reasons);
  });
});

describe('docs/alerts.md', () => {
  it('has a heading for each alert, where its runbook_url leads, and no other', () => {
    const rules = read('examples/prometheus-alerts.yml');
    const alerts = found(/- alert: (\w+)/g, rules);
    assert.ok(alerts.length > 10, 'they are found in the rules');
    assert.deepEqual(found(/^### (\w+)$/gm, read('docs/alerts.md')), alerts);
    const targets = Array.from(rules.matchAll(/- alert: (\w+)[^]*?runbook_url: (\S+)/g), ([, alert = '', url]) => [
      alert,
      url,
    ]);
    const base = 'file:///usr/share/doc/patroniglue/docs/alerts.md#';
    assert.deepEqual(
      targets,
      targets.map(([alert = '']) => [alert, `${base}${alert.toLowerCase()}`]),
    );
    assert.equal(targets.length, alerts.length);
  });
});

describe('the links of the documentation', () => {
  /** As GitHub makes it of a heading. */
  const anchorsOf = (file: string): readonly string[] =>
    found(/^#+ (.*)$/gm, read(file)).map((heading) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(' ', '-'),
    );

  for (const file of markdown) {
    it(`of ${file} lead somewhere`, () => {
      const links = found(/\]\((?!https?:)([^)\s]+)\)/g, read(file));
      const broken = links.filter((link) => {
        const [path = '', anchor] = link.split('#');
        const target = path === '' ? file : join(dirname(file), path);
        if (!existsSync(join(root, target))) return true;
        return anchor !== undefined && !anchorsOf(target).includes(anchor);
      });
      assert.deepEqual(broken, []);
    });
  }
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readYaml } from '../../src/config/yaml.js';

const problemsOf = (text: string): readonly string[] =>
  readYaml(text).problems.map(({ line, column, message }) => `${line}:${column}: ${message}`);

/** Lines with aliases. Each line stands for twice as many values as the line before. */
const doubling = (levels: number, line: (name: string, former: string) => string, first: string): string =>
  [`a0: &a0 ${first}`, ...Array.from({ length: levels }, (_, index) => line(`a${index + 1}`, `a${index}`))].join('\n');

describe('a file that would take too long to read', () => {
  it('because of doubling merge keys is refused at the merge key that is too many', () => {
    const text = doubling(18, (name, former) => `${name}: &${name} {<<: [*${former}, *${former}]}`, '{k: 1}');
    assert.match(problemsOf(text).join(), /^\d+:\d+: the aliases here make more than 65536 values: write the values/);
    assert.equal(problemsOf(text).length, 1, 'it is reported once');
  });

  it('because of lists of aliases is refused as well', () => {
    const text = doubling(4, (name, former) => `${name}: &${name} [${Array(40).fill(`*${former}`).join()}]`, '[1]');
    assert.match(problemsOf(text).join(), /^\d+:\d+: the aliases here make more than 65536 values/);
  });

  it('because of a long chain of merge keys is refused', () => {
    const text = doubling(2000, (name, former) => `${name}: &${name} {<<: *${former}}`, '{k: 1}');
    assert.match(problemsOf(text).at(0) ?? '', /: merge keys \(<<\) are nested more than 20 levels deep/);
  });

  it('because of its depth is refused with the position, for every kind of collection', () => {
    for (const [text, place] of [
      [`a: ${'['.repeat(30_000)}`, '1:23'],
      [`a: ${'['.repeat(1000)}${']'.repeat(1000)}`, '1:23'],
      [`a:\n  ${'{b: '.repeat(10_000)}`, '2:79'],
      [`${'- '.repeat(20_000)}a`, '1:41'],
      [`${'? '.repeat(20_000)}a`, '1:41'],
    ] as const) {
      assert.deepEqual(problemsOf(text), [`${place}: nested more than 20 levels deep`], text.slice(0, 20));
    }
  });

  it('because of its size is refused', () => {
    assert.deepEqual(problemsOf('#\n'.repeat(40_000)), ['1:1: the file has more than 64 KiB: is it a configuration?']);
  });
});

describe('aliases', () => {
  it('stand for the last value before them that has their name', () => {
    const { root } = readYaml('a: &x 1\nb: *x\nc: &x 2\nd: *x\n');
    assert.ok(root.kind === 'section');
    assert.deepEqual(
      root.entries.map(({ value }) => value.kind === 'scalar' && value.value),
      [1, 1, 2, 2],
    );
  });

  it('that contain themselves are refused as merge keys', () => {
    const hint = '<< takes the keys of another section: write an alias, such as *name';
    assert.deepEqual(problemsOf('cache:\n  <<: &a [*a]\n'), [`2:11: ${hint}`]);
    assert.deepEqual(problemsOf('cache: &a\n  <<: *a\n'), [`2:7: ${hint}`]);
  });

  it('take the keys of several sections, of which the first wins', () => {
    const { root, problems } = readYaml('a: &a {k: 1}\nb: &b {k: 2, l: 3}\nc: {<<: [*a, *b], m: 4}\n');
    assert.deepEqual(problems, []);
    const section = root.kind === 'section' ? root.entries.at(-1)?.value : undefined;
    assert.ok(section?.kind === 'section');
    assert.deepEqual(
      section.entries.map(({ key, value }) => [key, value.kind === 'scalar' && value.value]),
      [
        ['m', 4],
        ['k', 1],
        ['l', 3],
      ],
    );
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { readPythonYaml } from '../../../src/cli/init/python-yaml.js';
import { ConfigError } from '../../../src/errors.js';

const read = (text: string): unknown => readPythonYaml('p.yml', text);

describe('a file that Patroni reads with PyYAML', () => {
  const values: readonly (readonly [written: string, value: unknown])[] = [
    ['on', true],
    ['Yes', true],
    ['off', false],
    ['y', 'y'], // not in PyYAML, though YAML 1.1 has it
    ['yEs', 'yEs'],
    ["'on'", 'on'],
    ['~', null],
    ['', null],
    ['30', 30],
    ['-3', -3],
    ['1_000', 1000],
    ['010', 8],
    ['0x1F', 31],
    ['0b11', 3],
    ['08', '08'],
    ['1:30', 90],
    ['10:30:00', 37_800],
    ['1e3', '1e3'],
    ['1.5', 1.5],
    ['"30"', '30'],
    ['0.0.0.0:8008', '0.0.0.0:8008'],
    ['127.0.0.1', '127.0.0.1'],
    ['10.0.0.11:8008', '10.0.0.11:8008'],
    ['node1:8008', 'node1:8008'],
    ["'*:5432'", '*:5432'],
    ['2026-01-02', '2026-01-02'],
    ['[a, b]', ['a', 'b']],
    ['{a: 1}', { a: 1 }],
  ];

  it('has the values that PyYAML gives to its words', () => {
    for (const [written, value] of values) assert.deepEqual(read(`key: ${written}\n`), { key: value }, written);
  });

  it('takes the last of two equal keys, and the keys of another section', () => {
    assert.deepEqual(read('a: 1\na: 2\n'), { a: 2 });
    assert.deepEqual(read('x: &x {a: 1, b: 2}\ny:\n  <<: *x\n  b: 3\n'), { x: { a: 1, b: 2 }, y: { a: 1, b: 3 } });
  });

  it('is refused with line and column, and without a piece of the file', () => {
    const bad: readonly (readonly [text: string, message: string])[] = [
      [
        'a: 1\n b: SECRET\n',
        'p.yml:2:2: not valid YAML: this line begins in column 2, the others of its section or list in column 1',
      ],
      ['a: "SECRET\n', 'p.yml:2:1: not valid YAML: missing closing '],
      ['a: |SECRET\n  b\n', 'p.yml:1:5: not valid YAML: block scalar header includes extra characters'],
      ['a: "\\SECRET"\n', 'p.yml:1:5: not valid YAML: a backslash in double quotes'],
      ['a: !SECRET!x y\n', 'p.yml:1:4: not valid YAML: a tag'],
      ['a: *SECRET\n', 'p.yml:1:1: an alias'],
      ['%SECRET x\n---\n- a\n', 'p.yml:1:1: '],
      ['a: 1\n---\nb: 2\n', 'p.yml:2:1: not valid YAML: the file must have only one document'],
      ['SECRET', 'p.yml:1:1: the file must have keys'],
      ['- SECRET', 'p.yml:1:1: the file must have keys'],
      ['', 'p.yml:1:1: the file must have keys'],
    ];
    for (const [text, start] of bad) {
      assert.throws(
        () => read(text),
        (error: unknown) => {
          assert.ok(error instanceof ConfigError, text);
          assert.ok(error.message.startsWith(start), error.message);
          assert.doesNotMatch(error.message, /SECRET|\n/);
          return true;
        },
      );
    }
  });

  it('is refused if it is too large or too deep, or if its aliases stand for too much', () => {
    const bomb = [...Array(12).keys()].map((at) => `a${at}: &a${at} [${`*a${at - 1},`.repeat(at === 0 ? 0 : 9)}1]`);
    for (const [text, message] of [
      [`a: ${'x'.repeat(300_000)}`, /more than 256 KiB/],
      [`a: ${'['.repeat(60)}`, /nested more than 50 levels/],
      ['a: {'.repeat(60), /nested more than 50 levels/],
      [bomb.join('\n'), /aliases and merge keys/],
    ] as const) {
      assert.throws(() => read(text), message);
    }
  });

  it('is read or refused, whatever it has', () => {
    const piece = fc.constantFrom(
      'a',
      ':',
      ' ',
      '\n',
      '- ',
      '&x ',
      '*x',
      '<<',
      '"',
      "'",
      '{',
      '}',
      '[',
      ']',
      '!',
      '%',
      '|',
      '#',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        try {
          read(`key: value\n${pieces.join('')}`);
        } catch (error) {
          assert.ok(error instanceof ConfigError, String(error));
        }
      }),
    );
  });
});

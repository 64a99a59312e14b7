import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseConfig } from '../../src/config/parse.js';
import { ConfigError } from '../../src/errors.js';

function problemsOf(text: string): readonly string[] {
  try {
    parseConfig({ text, file: 'c.yml', nowMs: 0, readFile: () => '' });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ line, column, message }) => `${line}:${column}: ${message}`);
  }
  return [];
}

/** A text with a line in a wrong column, the position of its problem, this column and that of the others. */
const COLUMNS: readonly (readonly [text: string, place: string, column: number, expected: number])[] = [
  ['frontend:\n  host: a\n   port: 80\n', '3:4', 4, 3],
  ['frontend:\n  host: a\n\n  # why\n   port: 80\n', '5:4', 4, 3],
  ['frontend:\n  host: a\n port: 80\n', '3:2', 2, 3],
  ['frontend:\n   host: a # one\n  port: 80\nbackend:\n  host: b\n', '3:3', 3, 4],
  ['frontend:\n  host: a\nbackend:\n    host: b\n  port: 80\n', '5:3', 3, 5],
  ['backend:\n  routes:\n    - /primary\n   - /replica\n', '4:4', 4, 5],
  [' frontend:\n  host: a\nbackend:\n  host: b\n', '3:1', 1, 2],
];

/** A text, the position of its problem, and the end of the message. */
const TRAPS: readonly (readonly [text: string, place: string, hint: string])[] = [
  ['frontend:\n  host: ::\n  port: 80\n', '2:9', 'write the address in quotes: "::"'],
  ['frontend:\r\n  host: ::\r\n', '2:9', 'write the address in quotes: "::"'],
  ['frontend: {host: ::, port: 80}', '1:18', 'write the address in quotes: "::"'],
  ['backend:\n  host: 2001:db8:: # the other node\n', '2:9', 'write the address in quotes: "2001:db8::"'],
  ['frontend: {host: [::]}', '1:18', 'write the address in quotes: "::"'],
  ['frontend: {refresh-from: [10.0.0.1, fd00::]}', '1:37', 'write the address in quotes: "fd00::"'],
  ['frontend:\n  refresh-from:\n    - fd00::\n', '3:7', 'write the address in quotes: "fd00::"'],
  [
    'frontend:\n  logformat: a: b\n',
    '2:14',
    'a value with ": " or a colon at its end needs quotes, and lines of one section begin in the same column',
  ],
  ...COLUMNS.map(([text, place, column, expected]): readonly [string, string, string] => [
    text,
    place,
    `this line begins in column ${column}, the others of its section or list in column ${expected}`,
  ]),
  ['frontend:\n  host: *\n', '2:9', 'put the value in quotes'],
  ['frontend:\n  host: @x\n', '2:9', 'put the value in quotes'],
  ['frontend:\n\thost: a\n', '2:1', 'write spaces'],
  ['frontend\n  port: 1\n', '1:1', 'is a colon missing, or the space after it?'],
  ['frontend:\n  port:8009\n', '2:3', 'a key ends in a colon and a space: port: 8009'],
  ['frontend:\n  port=8009\n', '2:3', 'a key ends in a colon and a space: port: 8009'],
  ['frontend: {port:8009}\n', '1:12', 'a key ends in a colon and a space, as in "port: "'],
];

/** Texts with an invisible or misleading character. Columns count UTF-16 code units, as the position of the problem does. */
const MISLEADING: readonly (readonly [text: string, place: string, named: string])[] = [
  ['frontend:\n  po\u200brt: 80\n', '2:3', 'U+200B (zero width space) at column 5 is invisible'],
  ['frontend:\n  host: a\n \u00a0 port: 80\n', '3:4', 'U+00A0 (no-break space) at column 2 is invisible'],
  ['frontend:\n\u00a0\u00a0port: 80\n', '2:1', 'U+00A0 (no-break space) at column 1 is invisible'],
  ['frontend:\n  port:\u00a080\n', '2:3', 'U+00A0 (no-break space) at column 8 is invisible'],
  ['frontend:\n  port: 80\u200e\n', '2:9', 'U+200E (left-to-right mark) at column 11 is invisible'],
  ['backend:\n  host: local\u00adhost\n', '2:9', 'U+00AD (soft hyphen) at column 14 is invisible'],
  ['backend:\n  scheme: http\u3164\n', '2:11', 'U+3164 at column 15 is invisible'],
  ['cache:\n  ttl: 4\u{e0001}\n', '2:8', 'U+E0001 at column 9 is invisible'],
  ['\ufeffcache:\n  ttl: 4\ufeff\n', '2:8', 'U+FEFF (byte order mark) at column 9 is invisible'],
  ['frontend:\n  host: \u201c::1\u201d\n', '2:9', '\u201c (U+201C) at column 9 only looks like ": type " instead'],
  ['frontend:\n  tls\u2013ciphers: []\n', '2:3', '\u2013 (U+2013) at column 6 only looks like -: type - instead'],
  ['frontend:\n  p\u043ert: 80\n', '2:3', '\u043e at column 4 is U+043E: keys have only ASCII letters'],
];

describe('a text that YAML does not read as it looks', () => {
  for (const [text, place, hint] of TRAPS) {
    it(`gets a hint with the right spelling: ${JSON.stringify(text)}`, () => {
      const [first = '', ...others] = problemsOf(text);
      assert.ok(first.startsWith(`${place}: `), first);
      assert.ok(first.endsWith(hint), first);
      assert.deepEqual(others, []);
    });
  }

  it('is no problem in quotes', () => {
    assert.deepEqual(problemsOf('frontend:\n  host: "::"\n  refresh-from: ["fd00::"]\n'), []);
  });
});

describe('an invisible or misleading character', () => {
  for (const [text, place, named] of MISLEADING) {
    it(`is named with its column: ${named}`, () => {
      const [first = ''] = problemsOf(text);
      assert.ok(first.startsWith(`${place}: `), first);
      assert.ok(first.includes(`; ${named}`), first);
    });
  }

  it('is an escape where a message quotes the text', () => {
    assert.match(
      problemsOf('frontend:\n  po\u200brt: 80\n').join(),
      /unknown key "po\\u200brt": did you mean "port"\?; U\+/,
    );
  });

  it('is no problem in a value that allows it, or in a comment', () => {
    assert.deepEqual(problemsOf('frontend:\n  logformat: "%a\u00a0%U" # as\u00a0before\n'), []);
  });
});

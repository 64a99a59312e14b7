import fc from 'fast-check';
import { knownPaths } from '../../../src/patroni/routes.js';

const anyPercentEncoded = fc.integer({ min: 0, max: 255 }).map((byte) => `%${byte.toString(16).padStart(2, '0')}`);
const visible = fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code));

/** Text that is likely to mean something in a query, spelled in ways that are likely to matter. */
const piece = fc.oneof(
  visible,
  anyPercentEncoded,
  fc.constantFrom(
    '+',
    '%20',
    '&',
    '=',
    '?',
    ';',
    '/',
    '%26',
    '%3D',
    '%C3%A9',
    '%E2%82%AC',
    '%00',
    '%0A',
    '-',
    '.',
    '_',
    '0',
  ),
);
const text = fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join(''));

const number = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 70n }).map(String),
  fc.bigInt({ min: 0n, max: 2n ** 40n }).map((value) => `0x${value.toString(16)}`),
  fc.integer({ min: 10, max: 15 }).map((value) => `0x${value.toString(16)}`),
  fc.constantFrom(
    '0',
    '1',
    '00',
    '010',
    '08',
    '0x10',
    '0X10',
    '1.5',
    '.5',
    '1e3',
    '1E3',
    '5e',
    '1e400',
    '-1e999',
    '1e99',
    `${'9'.repeat(310)}.5`,
    '9'.repeat(310),
    '+7',
    '-7',
    '1_0',
    '',
    '٣',
  ),
);
const unit = fc.oneof(
  fc
    .array(fc.constantFrom(...'a b c d e f A B C D E F x X k M G T B s'.split(' ')), { maxLength: 3 })
    .map((letters) => letters.join('')),
  fc.constantFrom('', 'B', 'kB', 'KB', 'kb', 'MB', 'mb', 'GB', 'TB', 'PB', 's', 'ms', 'min', 'e', 'eB', 'x', '.'),
);
const space = fc.constantFrom('', '', '+', '%20', '%09', '%C2%A0', '%0A');
const lag = fc.tuple(space, number, space, unit, space).map(([a, n, b, u, c]) => a + encodeURIComponent(n) + b + u + c);

const key = fc.constantFrom(
  'lag',
  'l%61g',
  'Lag',
  'lag+',
  '?lag',
  'mode',
  'replication_state',
  'tag_a',
  'tag_b',
  'tag_',
  'tag_%C3%A9',
  'x',
  '',
);
const field = fc.oneof(
  lag.map((value) => `lag=${value}`),
  fc.constantFrom('mode=write', 'mode=apply', 'replication_state=streaming', 'tag_a=1', 'tag_b=x+y', 'tag_b=x%20y'),
  fc.tuple(key, text).map(([name, value]) => `${name}=${value}`),
  text,
);
const query = fc.array(field, { maxLength: 4 }).map((fields) => fields.join('&'));
const path = fc.oneof(
  fc.constantFrom(...knownPaths),
  fc.constantFrom(...knownPaths).map((known) => `${known}/`),
);

/** Request targets that could be questions to Patroni, in all the ways in which they can be spelled and misspelled. */
export const targets = fc.oneof(
  path,
  fc.tuple(path, query).map(([known, asked]) => `${known}?${asked}`),
  fc.tuple(path, text).map(([known, more]) => known + more),
);

const before = fc.constantFrom(
  '',
  '',
  '/',
  '//',
  'http://127.0.0.1:8009',
  'HTTPS://[::1]',
  'http://user@h',
  'http://h/',
  'ftp://h',
);

/** The same, as clients spell them: with more slashes before them, or as absolute URIs. */
export const spelledTargets = fc.tuple(before, targets).map(([prefix, target]) => prefix + target);

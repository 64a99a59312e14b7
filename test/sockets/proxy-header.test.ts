import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseProxyHeader } from '../../src/sockets/proxy-header.js';

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');
const SIGNATURE = latin1('\r\n\r\n\0\r\nQUIT\n');
const v2 = (command: number, family: number, rest: Buffer, size = rest.length): Buffer =>
  Buffer.concat([SIGNATURE, Buffer.from([command, family, size >> 8, size & 0xff]), rest]);
const TCP4 = Buffer.from([10, 0, 0, 5, 10, 0, 0, 11, 0xc3, 0x50, 0x1f, 0x49]);
const TCP6 = Buffer.from('fd00' + '00'.repeat(13) + '05' + 'fd00' + '00'.repeat(13) + '11' + 'c3501f49', 'hex');

const complete = (header: Buffer, client?: string) => ({
  ...{ kind: 'complete', length: header.length },
  ...(client !== undefined && { client }),
});

describe('a PROXY header of version 1', () => {
  for (const [line, client] of [
    ['PROXY TCP4 10.0.0.5 10.0.0.11 56324 8009\r\n', '10.0.0.5'],
    ['PROXY TCP4 255.255.255.255 255.255.255.255 65535 0\r\n', '255.255.255.255'],
    ['PROXY TCP6 fd00::5 ::1 56324 8009\r\n', 'fd00::5'],
    [`PROXY TCP6 ${'ffff:'.repeat(7)}ffff ${'ffff:'.repeat(7)}ffff 65535 65535\r\n`, `${'ffff:'.repeat(7)}ffff`],
    ['PROXY UNKNOWN\r\n', undefined],
    [`PROXY UNKNOWN ${'ffff:'.repeat(7)}ffff ${'ffff:'.repeat(7)}ffff 65535 65535\r\n`, undefined],
    ['PROXY UNKNOWN 10.0.0.5 whatever\r\n', undefined],
  ] as const) {
    it(`is read: ${line.trim()}`, () => {
      assert.deepEqual(parseProxyHeader(latin1(`${line}GET / HTTP/1.0\r\n`)), complete(latin1(line), client));
    });
  }

  for (const line of [
    'PROXY TCP4 10.0.0.256 10.0.0.11 56324 8009\r\n',
    'PROXY TCP4 010.0.0.5 10.0.0.11 56324 8009\r\n',
    'PROXY TCP4 fd00::5 fd00::11 56324 8009\r\n',
    'PROXY TCP6 10.0.0.5 10.0.0.11 56324 8009\r\n',
    'PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n',
    'PROXY TCP4 10.0.0.5 10.0.0.11 65536 8009\r\n',
    'PROXY TCP4 10.0.0.5 10.0.0.11 080 8009\r\n',
    'PROXY TCP4 10.0.0.5 10.0.0.11 80\r\n',
    'PROXY TCP4 10.0.0.5 10.0.0.11 80 81 82\r\n',
    'PROXY TCP4  10.0.0.5 10.0.0.11 80 81\r\n',
    'PROXY  TCP4 10.0.0.5 10.0.0.11 80 81\r\n',
    'PROXY TCP4 10.0.0.5 10.0.0.11 80 81 \r\n',
    'PROXY UDP4 10.0.0.5 10.0.0.11 80 81\r\n',
    'PROXY __proto__ 10.0.0.5 10.0.0.11 80 81\r\n',
    'PROXY constructor anything 10.0.0.11 80 81\r\n',
    'PROXY hasOwnProperty 10.0.0.5 10.0.0.11 80 81\r\n',
    'PROXY UNKNOWNS\r\n',
    'PROXY unknown\r\n',
    'PROXY \r\n',
    `PROXY UNKNOWN ${'x'.repeat(94)}`,
    `PROXY TCP4 10.0.0.5 10.0.0.11 80 81\n${'x'.repeat(107)}`,
    'proxy TCP4 10.0.0.5 10.0.0.11 80 81\r\n',
    'GET /primary HTTP/1.0\r\n\r\n',
    '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
  ]) {
    it(`is refused: ${JSON.stringify(line).slice(0, 80)}`, () => {
      assert.equal(parseProxyHeader(latin1(line)).kind, 'malformed');
    });
  }
});

describe('a PROXY header of version 2', () => {
  for (const [name, header, client] of [
    ['TCP over IPv4', v2(0x21, 0x11, TCP4), '10.0.0.5'],
    ['TCP over IPv6', v2(0x21, 0x21, TCP6), 'fd00::5'],
    ['more than addresses', v2(0x21, 0x11, Buffer.concat([TCP4, Buffer.from([4, 0, 2, 0, 0])])), '10.0.0.5'],
    ['LOCAL', v2(0x20, 0, Buffer.alloc(0)), undefined],
    ['LOCAL with addresses, which do not count', v2(0x20, 0x11, TCP4), undefined],
    ['an unspecified family', v2(0x21, 0, Buffer.alloc(7)), undefined],
    ['a Unix socket', v2(0x21, 0x31, Buffer.alloc(216)), undefined],
    ['UDP over IPv4', v2(0x21, 0x12, TCP4), undefined],
    ['the most', v2(0x21, 0x11, Buffer.concat([TCP4, Buffer.alloc(1460 - 16 - 12)])), '10.0.0.5'],
  ] as const) {
    it(`is read: ${name}`, () => {
      assert.deepEqual(parseProxyHeader(Buffer.concat([header, latin1('GET')])), complete(header, client));
    });
  }

  for (const [name, header] of [
    ['another version', v2(0x31, 0x11, TCP4)],
    ['another command', v2(0x22, 0x11, TCP4)],
    ['another family', v2(0x21, 0x41, TCP4)],
    ['another protocol', v2(0x21, 0x13, TCP4)],
    ['addresses that are cut off', v2(0x21, 0x11, TCP4.subarray(1))],
    ['addresses of another family', v2(0x21, 0x21, TCP4)],
    ['more than 1,460 bytes', v2(0x21, 0x11, TCP4, 1445)],
    ['another signature', latin1('\r\n\r\n\0\r\nQUIX\n')],
  ] as const) {
    it(`is refused: ${name}`, () => {
      assert.equal(parseProxyHeader(header).kind, 'malformed');
    });
  }
});

describe('what may be a PROXY header', () => {
  const v1Line = fc
    .oneof(
      fc.record({ family: fc.constant('TCP4'), client: fc.ipV4(), server: fc.ipV4() }),
      fc.record({ family: fc.constant('TCP6'), client: fc.ipV6(), server: fc.ipV6() }),
    )
    .chain(({ family, client, server }) =>
      fc
        .tuple(fc.nat(65_535), fc.nat(65_535))
        .map(([from, to]) => [latin1(`PROXY ${family} ${client} ${server} ${from} ${to}\r\n`), client] as const),
    )
    .filter(([line]) => line.length <= 107);
  const v2Block = fc.uint8Array({ minLength: 36, maxLength: 300 }).map((rest) => {
    const bytes = Buffer.from(rest);
    return [v2(0x21, 0x11, bytes), bytes.subarray(0, 4).join('.')] as const;
  });

  it('is read alike in however many parts it comes, and whatever follows', () => {
    fc.assert(
      fc.property(fc.oneof(v1Line, v2Block), fc.uint8Array(), ([header, client], after) => {
        for (let length = 0; length < header.length; length += 1) {
          assert.deepEqual(parseProxyHeader(header.subarray(0, length)), { kind: 'incomplete' });
        }
        assert.deepEqual(parseProxyHeader(Buffer.concat([header, after])), complete(header, client));
      }),
    );
  });

  it('is never more than 1,460 bytes, throws nothing, and names a client by an address alone', () => {
    const words = ['TCP4', 'TCP6', 'UNKNOWN', ...Object.getOwnPropertyNames(Object.prototype)];
    const lines = words.map((word) => `PROXY ${word} 10.0.0.5 10.0.0.11 80 81\r\n`);
    const beginnings = ['', 'PROXY ', 'PROXY TCP4 10.0.0.5 ', 'PROXY TCP6 ', ...lines].map(latin1);
    const bytes = fc.tuple(
      fc.constantFrom(...beginnings, SIGNATURE, Buffer.concat([SIGNATURE, Buffer.from([0x21])])),
      fc.uint8Array({ maxLength: 3000 }),
    );
    fc.assert(
      fc.property(bytes, ([beginning, rest]) => {
        const all = Buffer.concat([beginning, rest]);
        const header = parseProxyHeader(all);
        if (header.kind === 'incomplete') assert.ok(all.length < 1460, 'it is told by then');
        if (header.kind !== 'complete') return;
        assert.ok(header.length <= Math.min(all.length, 1460));
        if (header.client !== undefined) assert.notEqual(isIP(header.client), 0);
      }),
      { numRuns: 2000 },
    );
  });
});

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type AttackedService, startAttackedService } from '../support/attacks/attacked-service.js';
import { openRaw } from '../support/clients/raw-connection.js';
import { withoutOpenssl } from '../support/certificates.js';
import { within } from '../support/time/wait.js';

/** What is smuggled: a question that nobody asks else, and that Patroni would be asked were it heard. */
const HIDDEN = 'GET /leader HTTP/1.1\r\nHost: h\r\n\r\n';
const GET = 'GET /primary HTTP/1.1\r\nHost: h\r\n';
const POST = 'POST /primary HTTP/1.1\r\nHost: h\r\n';
const LENGTH = `Content-Length: ${HIDDEN.length}\r\n`;
const CHUNKED = 'Transfer-Encoding: chunked\r\n';
const NO_CHUNKS = '0\r\n\r\n';

/** Bytes that a proxy in front may take for one request where we took them for two; each is followed by {@link HIDDEN}. */
const FORMS: readonly (readonly [name: string, status: number | readonly number[], bytes: string])[] = [
  ['a length and chunks', 400, `${GET}Content-Length: 5\r\n${CHUNKED}\r\n${NO_CHUNKS}`],
  ['chunks and a length', 400, `${POST}${CHUNKED}Content-Length: 5\r\n\r\n${NO_CHUNKS}`],
  ['two lengths', 400, `${GET}Content-Length: 0\r\n${LENGTH}\r\n`],
  ['one length twice', 400, `${GET}Content-Length: 0\r\nContent-Length: 0\r\n\r\n`],
  ['a list of lengths', 400, `${GET}Content-Length: 0, ${HIDDEN.length}\r\n\r\n`],
  ['a length with a sign', 400, `${GET}Content-Length: +0\r\n\r\n`],
  ['a length below zero', 400, `${GET}Content-Length: -1\r\n\r\n`],
  ['a length in hexadecimal', 400, `${GET}Content-Length: 0x0\r\n\r\n`],
  ['a length without digits', 400, `${GET}Content-Length:\r\n\r\n`],
  ['a length with a space in it', 400, `${GET}Content-Length: 0 0\r\n\r\n`],
  ['a length beyond 64 bits', 400, `${GET}Content-Length: 18446744073709551616\r\n\r\n`],
  ['a length of two zeros', 413, `${GET}Content-Length: 00\r\n\r\n`],
  ['a length behind 2,000 other headers', 413, `${GET}${'a:\r\n'.repeat(2000)}${LENGTH}\r\n`],
  ['a body that is a request', 413, `${GET}${LENGTH}\r\n`],
  ['a body that is a request, and one more', 413, `${GET}${LENGTH}\r\n${HIDDEN}`],
  ['a POST with a request behind it', 405, `${POST}${LENGTH}\r\n${HIDDEN}`],
  ['chunks', 413, `${GET}${CHUNKED}\r\n5\r\nhello\r\n${NO_CHUNKS}`],
  ['a POST of chunks', 405, `${POST}${CHUNKED}\r\n5\r\nhello\r\n${NO_CHUNKS}`],
  ['a chunk whose size is none', 413, `${GET}${CHUNKED}\r\n0x5\r\nhello\r\n${NO_CHUNKS}`],
  ['a chunk extension with a line feed', 413, `${GET}${CHUNKED}\r\n5;a=b\nc\r\nhello\r\n${NO_CHUNKS}`],
  ['chunks to HTTP/1.0', 413, `GET /primary HTTP/1.0\r\nConnection: keep-alive\r\n${CHUNKED}\r\n${NO_CHUNKS}`],
  ['xchunked', 413, `${GET}Transfer-Encoding: xchunked\r\n\r\n${NO_CHUNKS}`],
  ['a coding before chunked', 413, `${GET}Transfer-Encoding: gzip, chunked\r\n\r\n${NO_CHUNKS}`],
  ['a coding after chunked', 400, `${GET}Transfer-Encoding: chunked, identity\r\n\r\n${NO_CHUNKS}`],
  [
    'a coding after chunked, in a second header',
    400,
    `${GET}${CHUNKED}Transfer-Encoding: identity\r\n\r\n${NO_CHUNKS}`,
  ],
  ['an empty coding', [400, 413], `${GET}Transfer-Encoding:\r\n\r\n`], // the former since Node 22
  ['a vertical tab before chunked', 400, `${GET}Transfer-Encoding: \x0bchunked\r\n\r\n${NO_CHUNKS}`],
  ['a space before the colon', 400, `${GET}Transfer-Encoding : chunked\r\n\r\n${NO_CHUNKS}`],
  ['a space before the first header', 400, `GET /primary HTTP/1.1\r\n Host: h\r\n\r\n`],
  ['a folded header (obs-fold)', 400, `${GET}X: a\r\n b\r\n\r\n`],
  ['a folded coding', 400, `${GET}Transfer-Encoding:\r\n chunked\r\n\r\n${NO_CHUNKS}`],
  ['bare line feeds', 400, 'GET /primary HTTP/1.1\nHost: h\n\n'],
  ['a bare line feed after a header', 400, 'GET /primary HTTP/1.1\r\nHost: h\nX: y\r\n\r\n'],
  ['a bare line feed at the end', 400, `${GET}\n`],
  ['a bare carriage return in a header', 400, `${GET}X: a\rContent-Length: 9\r\n\r\n`],
  ['a NUL in a header', 400, `${GET}X: a\0b\r\n\r\n`],
  ["a NUL in a header's name", 400, `${GET}X\0Y: a\r\n\r\n`],
  ['a header without a colon', 400, `${GET}nonsense\r\n\r\n`],
  ['a header without a name', 400, `${GET}: x\r\n\r\n`],
  ['an end that was announced', 200, `${GET}Connection: close\r\n\r\n`],
  ['the end of an HTTP/1.0 request', 200, 'GET /primary HTTP/1.0\r\n\r\n'],
  ['leave asked to send nothing', 200, `${GET}Expect: 100-continue\r\n\r\n`],
  ['leave asked to send a body', 413, `${GET}Expect: 100-continue\r\n${LENGTH}\r\n`],
  ['an expectation of another kind, and a body', 413, `${GET}Expect: 200-maybe\r\n${LENGTH}\r\n`],
  ['an upgrade, and a body', 413, `${GET}Connection: Upgrade\r\nUpgrade: h2c\r\n${LENGTH}\r\n`],
];

/** What is asked for besides, and not given: the reply is that to the same request without. */
const OFFERS: readonly (readonly [name: string, headers: string])[] = [
  [
    'HTTP/2 (`curl --http2`)',
    'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n',
  ],
  [
    'a websocket',
    'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n',
  ],
  ['an expectation of another kind', 'Expect: 200-maybe\r\n'],
];

for (const scheme of ['http', 'https'] as const) {
  const skip = scheme === 'https' ? await withoutOpenssl() : false;

  describe(`a request with another one hidden in it, over ${scheme}`, { skip }, () => {
    let service: AttackedService;
    before(async () => {
      service = await startAttackedService(scheme);
      await service.watch();
    });
    after(() => service.close());

    for (const [name, status, bytes] of FORMS) {
      it(`gets one reply and the end of the connection: ${name}`, async () => {
        const connection = await openRaw(service.port, scheme === 'https');
        connection.send(bytes + HIDDEN);
        await within('the connection is ended', 4000, connection.ended);
        assert.equal(connection.statuses().length, 1, connection.text());
        const allowed = typeof status === 'number' ? [status] : status;
        assert.ok(allowed.includes(connection.statuses()[0] ?? 0), connection.text());
      });
    }

    for (const [name, headers] of OFFERS) {
      it(`is answered as if nothing were offered, and so is the next: ${name}`, async () => {
        const connection = await openRaw(service.port, scheme === 'https');
        for (const replies of [[200], [200, 200]]) {
          connection.send(`${GET}${headers}\r\n`);
          await connection.reply(replies.length);
          assert.deepEqual(connection.statuses(), replies, connection.text());
        }
        connection.close();
      });
    }

    it('is never heard, leaves nothing behind, and delays no other', async () => {
      await service.assertUnharmed();
      const polled = new Set(service.upstream.requests.map((head) => head.split(' ', 2)[1]));
      assert.deepEqual([...polled].sort(), ['/cluster', '/config', '/primary', '/read-only', '/replica']);
    });
  });
}

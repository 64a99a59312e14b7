import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { type FrontEnd, listen } from '../../src/http/frontend.js';
import { type RawConnection, openRaw } from '../support/clients/raw-connection.js';
import { within } from '../support/time/wait.js';

const GET = 'GET / HTTP/1.1\r\n\r\n';

/** One that is answered at once, and those that wait behind it. */
const MOST_AT_ONCE = 9;

describe('requests on one connection that do not wait for a reply', () => {
  let frontEnd: FrontEnd;
  let connection: RawConnection;
  let asked = 0;
  beforeEach(async () => {
    asked = 0;
    const handle = ({ hasBody }: { hasBody: boolean }) => {
      asked += 1;
      const headers = { 'Content-Length': 0, ...(hasBody && { Connection: 'close' }) };
      return { status: 200 + asked, headers, body: '' };
    };
    frontEnd = await listen({ host: '127.0.0.1', port: 0, handle });
    connection = await openRaw(Number(frontEnd.addresses[0]?.split(':')[1]), false);
  });
  afterEach(async () => {
    connection.close();
    await frontEnd.close(0);
  });

  it('are answered in their order, as often as they are few', async () => {
    for (let round = 1; round <= 3; round += 1) {
      connection.send(GET.repeat(MOST_AT_ONCE));
      await connection.reply(round * MOST_AT_ONCE);
    }
    const statuses = Array.from({ length: 3 * MOST_AT_ONCE }, (_, index) => 201 + index);
    assert.deepEqual(connection.statuses(), statuses);
  });

  it('end it when they are many, and most are not heard', async () => {
    connection.send(GET.repeat(1000));
    await within('ended', 5000, connection.ended);
    assert.ok(asked <= MOST_AT_ONCE, `${asked} were`);
  });

  it('are not even made requests of, when they are many: that alone would hold everybody up', async () => {
    let made = 0;
    const count = (): void => void (made += 1);
    subscribe('http.server.request.start', count);
    try {
      connection.send(GET.repeat(3000));
      await within('ended', 5000, connection.ended);
    } finally {
      unsubscribe('http.server.request.start', count);
    }
    assert.ok(made <= MOST_AT_ONCE + 1, `${made} were`);
  });

  it('are not heard behind one whose reply ends the connection', async () => {
    connection.send(`POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}${GET}`);
    await within('ended', 5000, connection.ended);
    assert.deepEqual(connection.statuses(), [201]);
    assert.equal(asked, 1);
  });
});

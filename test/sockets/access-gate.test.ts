import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, type Server, type Socket, connect, createServer } from 'node:net';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { type AccessGate, createAccessGate } from '../../src/sockets/access-gate.js';
import { limitConnections } from '../../src/sockets/open-connections.js';
import { eventually, within } from '../support/time/wait.js';

describe('the access gate', () => {
  let server: Server;
  let gate: AccessGate;
  let isAllowed: (client?: string) => boolean;
  const refused: string[] = [];
  const seen: Socket[] = [];
  const clients: Socket[] = [];
  const limit = limitConnections(2);

  beforeEach(async () => {
    isAllowed = () => true;
    gate = createAccessGate({
      mayAsk: (_, client) => isAllowed(client),
      onRefused: (address) => refused.push(address),
    });
    server = createServer((socket) => {
      seen.push(socket);
      socket.on('error', () => undefined).write('hello');
    });
    limit.watch(server);
    gate.guard(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterEach(() => {
    for (const socket of clients.splice(0)) socket.destroy();
    limit.destroyAll();
    server.close();
    refused.length = 0;
    seen.length = 0;
  });

  function open(): Socket {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.on('error', () => undefined);
    clients.push(socket);
    return socket;
  }

  it('passes on the connections of clients that may ask', async () => {
    const [bytes] = (await within('a greeting', 5000, once(open(), 'data'))) as [Buffer];
    assert.equal(bytes.toString(), 'hello');
    assert.deepEqual(refused, []);
  });

  it('ends all others before anything is read, so that they take no place of the others', async () => {
    const first = open();
    await within('a greeting', 5000, once(first, 'data'));
    isAllowed = () => false;
    const strangers = Array.from({ length: 20 }, () => {
      const socket = open();
      socket.write('GET / HTTP/1.0\r\n\r\n');
      return new Promise((resolve) => socket.once('close', resolve));
    });
    await within('all are ended', 5000, Promise.all(strangers));
    assert.deepEqual([refused.length, new Set(refused)], [20, new Set(['127.0.0.1'])]);
    assert.deepEqual([seen.length, limit.open], [1, 1]);
    assert.ok(!first.destroyed, 'the limit of two connections has not ended it');
  });

  it('ends a connection when its PROXY header names a client that may not ask', async () => {
    const client = open();
    await within('a greeting', 5000, once(client, 'data'));
    isAllowed = (name) => name !== '10.0.0.9';
    const [socket] = seen;
    assert.ok(socket);
    assert.equal(gate.admits(socket, '10.0.0.8'), true);
    assert.equal(gate.admits(socket, '10.0.0.9'), false);
    await eventually('it is ended', 5000, () => client.destroyed);
    assert.deepEqual(refused, ['10.0.0.9']);
  });

  it('ends the open connections of clients that may no longer ask', async () => {
    const [one, other] = [open(), open()];
    await within('greetings', 5000, Promise.all([once(one, 'data'), once(other, 'data')]));
    gate.recheck();
    assert.deepEqual(refused, []);
    const [socket] = seen;
    assert.ok(socket && gate.admits(socket, '10.0.0.9'));
    isAllowed = (name) => name === undefined;
    gate.recheck();
    assert.deepEqual(refused, ['10.0.0.9']);
    await eventually('one is ended', 5000, () => one.destroyed !== other.destroyed);
  });
});

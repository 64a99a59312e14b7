import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, it } from 'node:test';
import { processWith, readProcess } from '../../src/linux/process.js';
import { listeningAt, listeningIn } from '../../src/linux/sockets.js';
import { fillAcceptQueue } from '../support/upstreams/accept-queue.js';

const HEAD = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';

describe('the table of sockets', () => {
  it('tells the listening sockets of IPv4, and how many connections wait', () => {
    const table = `${HEAD}   0: 0100007F:1F48 00000000:0000 0A 00000000:00000005 00:00000000 00000000   105        0 22734 1 0000000000000000 100 0 0 10 0
   1: 00000000:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000   105        0 22735 1 0000000000000000 100 0 0 10 0
   2: 0100007F:1F48 0100007F:A1B2 01 00000000:00000000 00:00000000 00000000   105        0 22736 1 0000000000000000 20 4 30 10 -1
`;
    assert.deepEqual(listeningIn(table), [
      { address: '127.0.0.1', port: 8008, inode: '22734', acceptQueue: 5 },
      { address: '0.0.0.0', port: 5432, inode: '22735', acceptQueue: 0 },
    ]);
  });

  it('tells those of IPv6', () => {
    const row = (address: string): string =>
      `   0: ${address}:1F48 00000000000000000000000000000000:0000 0A 00000000:00000010 00:00000000 00000000   105        0 7 1 0 100 0 0 10 0`;
    const addressOf = (hex: string): unknown => listeningIn(row(hex))[0]?.address;
    assert.equal(addressOf('00000000000000000000000000000000'), '::');
    assert.equal(addressOf('00000000000000000000000001000000'), '::1');
    assert.equal(addressOf('000080FE00000000FF005450B6AD1DFE'), 'fe80:0:0:0:5054:ff:fe1d:adb6');
    assert.equal(listeningIn(row('00000000000000000000000001000000'))[0]?.acceptQueue, 16);
  });

  it('may have any other text', () => {
    for (const text of ['', HEAD, 'x', `${HEAD}   0: 0100007F:1F48`, '\0\n0: : : 0A : : : : : : :']) {
      assert.deepEqual(listeningIn(text), []);
    }
  });

  it('is read as far as the listening sockets go: also the last of six hundred', async () => {
    const servers = Array.from({ length: 600 }, () => createServer().listen(0, '127.0.0.1'));
    await Promise.all(servers.map((server) => once(server, 'listening')));
    const ports = servers.map((server) => (server.address() as AddressInfo).port);
    const some = ports.filter((_, at) => at % 20 === 0);
    const found = await Promise.all(some.map((port) => listeningAt('127.0.0.1', port)));
    for (const server of servers) server.close();
    assert.deepEqual(
      found.map(([socket]) => socket?.port),
      some,
    );
  });

  it('has several sockets of one port, each for its own address', async () => {
    const one = createServer().listen(0, '127.0.0.1');
    await once(one, 'listening');
    const { port } = one.address() as AddressInfo;
    const other = createServer().listen(port, '127.0.0.2');
    await once(other, 'listening');
    const everywhere = createServer().listen(0, '::');
    await once(everywhere, 'listening');
    const addressesFor = async (host: string, at = port): Promise<string[]> =>
      (await listeningAt(host, at)).map(({ address }) => address).sort();
    const [first, second, third, byName, forAll] = await Promise.all([
      addressesFor('127.0.0.1'),
      addressesFor('127.0.0.2'),
      addressesFor('127.0.0.3'),
      addressesFor('localhost'),
      addressesFor('fd00:0::1', (everywhere.address() as AddressInfo).port),
    ]);
    for (const server of [one, other, everywhere]) server.close();
    assert.deepEqual([first, second, third], [['127.0.0.1'], ['127.0.0.2'], []]);
    assert.deepEqual([byName, forAll], [['127.0.0.1', '127.0.0.2'], ['::']]);
  });

  it('knows an address of IPv6 in any spelling', async () => {
    const server = createServer().listen(0, '::1');
    await once(server, 'listening');
    const found = await listeningAt('0:0:0:0:0:0:0:1', (server.address() as AddressInfo).port);
    server.close();
    assert.deepEqual(
      found.map(({ address }) => address),
      ['::1'],
    );
  });

  it('is read from the kernel: a program that accepts nobody, and its process', async () => {
    const listener = await fillAcceptQueue();
    const [socket, ...others] = await listeningAt('127.0.0.1', listener.port);
    const pid = socket && (await processWith(socket.inode, AbortSignal.timeout(10_000)));
    const seen = pid === undefined ? undefined : await readProcess(pid);
    listener.close();
    assert.deepEqual([socket?.address, others], ['127.0.0.1', []]);
    assert.ok((socket?.acceptQueue ?? 0) >= 1, 'connections wait');
    assert.equal(seen?.pid, pid);
    assert.match(seen?.state ?? '', /^[RS]$/);
    assert.ok((seen?.openFiles ?? 0) > 3 && (seen?.openFilesLimit ?? 0) >= (seen?.openFiles ?? 0));
  });
});

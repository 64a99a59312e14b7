import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isAllowed } from '../../src/network/allowed.js';

const NETWORKS = [
  { address: '10.0.0.0', prefix: 24 },
  { address: 'fd00::', prefix: 64 },
  { address: 'fe80::', prefix: 10 },
];
const HERE = '192.168.0.1';
const from = (remoteAddress: string | undefined, proxyClient?: string): boolean =>
  isAllowed(NETWORKS, { remoteAddress, localAddress: HERE }, proxyClient);

describe('a client is allowed', () => {
  for (const address of ['10.0.0.255', '::ffff:10.0.0.1', 'fd00::9', 'fe80::1%eth0', '127.0.0.1', '::1', HERE]) {
    it(`in one of the networks, or on this host: ${address}`, () => {
      assert.equal(from(address), true);
    });
  }

  for (const address of ['10.0.1.0', '::ffff:10.0.1.0', 'fd00:0:0:1::', '192.168.0.2', '::', undefined]) {
    it(`nowhere else: ${address ?? 'a connection that was reset'}`, () => {
      assert.equal(from(address), false);
    });
  }

  it('with its own address in IPv6 form, as a listener on :: sees it', () => {
    const localAddress = `::ffff:${HERE}`;
    assert.equal(isAllowed([], { remoteAddress: HERE, localAddress }), true);
    assert.equal(isAllowed([], { remoteAddress: '127.0.0.1', localAddress }, HERE), true);
    assert.equal(isAllowed([], { remoteAddress: '192.168.0.2', localAddress }), false);
  });

  it('if both the proxy and the client that it names are', () => {
    assert.deepEqual(
      [
        from('10.0.0.5', '10.0.0.6'),
        from('10.0.0.5', '10.0.1.6'),
        from('10.0.1.5', '10.0.0.6'),
        from('::1', '10.0.1.6'),
      ],
      [true, false, false, false],
    );
  });
});

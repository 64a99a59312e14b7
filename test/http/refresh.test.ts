import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Network } from '../../src/config/types.js';
import { refreshReply } from '../../src/http/refresh.js';
import type { ConnectionAddresses } from '../../src/http/types.js';

describe('POST /-/refresh', () => {
  const ask = (
    connection: ConnectionAddresses,
    from: readonly Network[] = [],
    {
      method = 'POST',
      hasBody = false,
      proxyClient,
    }: { method?: string; hasBody?: boolean; proxyClient?: string } = {},
  ) => {
    let refreshed = 0;
    const request = { method, httpVersion: '1.1', target: '/-/refresh', hasBody, connection, proxyClient };
    const { status, headers, body } = refreshReply(request, { refreshFrom: from }, () => (refreshed += 1));
    return { status, headers, refreshed, text: String(body) };
  };
  const HERE: ConnectionAddresses = { remoteAddress: '127.0.0.1', localAddress: '127.0.0.1' };

  for (const remoteAddress of ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1', '10.0.0.11', 'fd00::11']) {
    it(`is for this host: from ${remoteAddress}`, () => {
      const { status, refreshed } = ask({ remoteAddress, localAddress: remoteAddress });
      assert.deepEqual([status, refreshed], [202, 1]);
    });
  }

  for (const remoteAddress of ['10.0.0.12', '::ffff:10.0.0.12', 'fd00::12', '128.0.0.1', undefined]) {
    it(`is for nobody else: from ${remoteAddress ?? 'a connection that is reset'}`, () => {
      const { status, refreshed } = ask({ remoteAddress, localAddress: '10.0.0.11' });
      assert.deepEqual([status, refreshed], [403, 0]);
    });
  }

  it('is for who is in frontend.refresh-from as well', () => {
    const from = [
      { address: '10.0.0.0', prefix: 24 },
      { address: 'fd00::', prefix: 64 },
    ];
    const statusFrom = (remoteAddress: string): number =>
      ask({ remoteAddress, localAddress: '10.0.0.11' }, from).status;
    assert.deepEqual(['10.0.0.255', '::ffff:10.0.0.255', 'fd00::9', '127.0.0.1'].map(statusFrom), [202, 202, 202, 202]);
    assert.deepEqual(['10.0.1.0', 'fd00:0:0:1::'].map(statusFrom), [403, 403]);
  });

  it('is for a client behind a proxy where both may: whoever the PROXY header names, and the proxy', () => {
    const from = [{ address: '10.0.0.12', prefix: 32 }];
    const far: ConnectionAddresses = { remoteAddress: '10.0.0.12', localAddress: '10.0.0.11' };
    const statusOf = (connection: ConnectionAddresses, proxyClient: string): number =>
      ask(connection, from, { proxyClient }).status;
    assert.deepEqual(
      [statusOf(HERE, '10.0.0.13'), statusOf({ ...far, remoteAddress: '10.0.0.13' }, '127.0.0.1')],
      [403, 403],
    );
    assert.deepEqual(
      [statusOf(HERE, '127.0.0.1'), statusOf(HERE, '10.0.0.12'), statusOf(far, '10.0.0.12')],
      [202, 202, 202],
    );
  });

  it('is asked by POST, and without a body', () => {
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'PUT']) {
      const { status, headers, refreshed } = ask(HERE, [], { method });
      assert.deepEqual([status, headers['Allow'], refreshed], [405, 'POST', 0], method);
    }
    const { status, headers, refreshed } = ask(HERE, [], { hasBody: true });
    assert.deepEqual([status, headers['Connection'], refreshed], [413, 'close', 0]);
  });

  it('is answered with a sentence, and with the end of the connection where a body may follow', () => {
    const far: ConnectionAddresses = { remoteAddress: '10.0.0.12', localAddress: '10.0.0.11' };
    assert.equal(ask(HERE).text, 'patroniglue polls Patroni now\n');
    assert.equal(ask(far).text, 'only this host and the networks of frontend.refresh-from may ask\n');
    assert.equal(ask(HERE, [], { method: 'GET' }).text, '/-/refresh accepts POST only\n');
    assert.equal(ask(HERE, [], { hasBody: true }).text, '/-/refresh accepts no body\n');
    assert.deepEqual(
      [ask(far), ask(HERE, [], { method: 'GET' }), ask(HERE)].map(({ headers }) => headers['Connection']),
      [undefined, undefined, undefined],
    );
    assert.equal(ask(far, [], { method: 'GET', hasBody: true }).headers['Connection'], 'close');
    assert.equal(ask(HERE).headers['Content-Type'], 'text/plain; charset=utf-8');
  });

  it('is for nobody by a request whose connection is not known', () => {
    const request = { method: 'POST', httpVersion: '1.1', target: '/-/refresh', hasBody: false };
    assert.equal(refreshReply(request, { refreshFrom: [] }, () => assert.fail('asked')).status, 403);
  });

  it('is not for a connection that is reset already, whoever else may', () => {
    const from = [{ address: '0.0.0.0', prefix: 0 }];
    assert.equal(ask({ localAddress: '10.0.0.11' }, from).status, 403);
  });
});

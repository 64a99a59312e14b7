import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { pageAt } from '../../src/service/page-at.js';

const TLS = { certfile: '', keyfile: '', cert: '', key: '', minVersion: 'TLSv1.2', ciphers: [] } as never;

describe("the page of another host's patroniglue", () => {
  it('may be where this one has its page', () => {
    assert.equal(pageAt({ host: '10.0.0.11', port: 8009 }, '10.0.0.12'), 'http://10.0.0.12:8009/-/status');
    assert.equal(pageAt({ host: '0.0.0.0', port: 443, tls: TLS }, 'node2'), 'https://node2:443/-/status');
    assert.equal(pageAt({ host: '::', port: 8009 }, 'fd00::2'), 'http://[fd00::2]:8009/-/status');
  });

  it('is not known if one of them can be reached from its own host only', () => {
    assert.equal(pageAt({ host: 'localhost', port: 8009 }, '10.0.0.12'), undefined);
    assert.equal(pageAt({ host: '10.0.0.11', port: 8009 }, '127.0.0.1'), undefined);
  });
});

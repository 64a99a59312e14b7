import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Etcd3Settings, dcsOf } from '../../../src/cli/init/dcs-settings.js';
import { endpointIn } from '../../../src/cli/init/endpoints.js';
import { patched, patroniEnvironment } from '../../../src/cli/init/patroni-environment.js';
import { type PatroniSettings, settingsOf } from '../../../src/cli/init/patroni-settings.js';
import { type Section, readPythonYaml } from '../../../src/cli/init/python-yaml.js';

const settings = (config: Section): PatroniSettings =>
  settingsOf('p.yml', { scope: 'main', name: 'node1', restapi: { listen: '0.0.0.0:8008' }, ...config });

describe('a host with its port in patroni.yml', () => {
  it('has the port after the last colon', () => {
    const table: readonly (readonly [text: string, host: string | undefined, port?: number])[] = [
      ['10.0.0.11:8008', '10.0.0.11', 8008],
      ['*:5432', '*', 5432],
      [':5432', '', 5432],
      ['node1', 'node1', 1],
      ['[::1]:8008', '::1', 8008],
      ['[::1]', '::1', 1],
      ['fd00::1:8008', 'fd00::1', 8008],
      ['https://node1:2379/', 'node1', 2379],
      ['http://user:12/3@4@node1:2379', 'node1', 2379],
      ['node1:0', undefined],
      ['node1:99999', undefined],
    ];
    for (const [text, host, port = 0] of table) {
      assert.deepEqual(endpointIn(text, 1), host === undefined ? undefined : { host, port }, text);
    }
    assert.equal(endpointIn('node1'), undefined);
  });
});

describe('the settings of a Patroni', () => {
  it('need scope, name, and the address of the REST API', () => {
    assert.throws(() => settingsOf('p.yml', {}), {
      name: 'ConfigError',
      message:
        'p.yml:1:1: missing: scope (a text), name (a text), restapi.listen (host and port). If Patroni has them in its ' +
        'environment (PATRONI_SCOPE, PATRONI_NAME, PATRONI_RESTAPI_LISTEN), run --init with the same variables',
    });
    assert.throws(() => settings({ name: 5 }), /1:1: missing: name \(a text\)\. If/);
    assert.throws(() => settings({ restapi: { listen: '0.0.0.0' } }), /missing: restapi\.listen \(host and port\)/);
    assert.throws(() => settings({ restapi: { listen: '{{ ip }}:8008' } }), /missing: restapi\.listen/);
    assert.equal(settings({ name: null, postgresql: { name: 'pg1' } }).name, 'pg1');
  });

  it('have the key of the cluster in the DCS', () => {
    const table: readonly (readonly [config: Section, key: string])[] = [
      [{}, '/service/main'],
      [{ namespace: '/db/' }, '/db/main'],
      [{ namespace: 'a//b' }, '/a/b/main'],
      [{ namespace: '/postgresql-common/', scope: '15-main' }, '/postgresql-common/15-main'],
      [{ citus: { group: 0, database: 'db' } }, '/service/main/0'],
      [{ citus: { group: 1 } }, '/service/main'], // Patroni ignores a section without a database
      [{ citus: { group: '1', database: 'db' } }, '/service/main'],
    ];
    for (const [config, key] of table) assert.equal(settings(config).key, key, JSON.stringify(config));
  });

  it('have the PostgreSQL of this node', () => {
    const table: readonly (readonly [postgresql: Section, host: string | undefined, port?: number])[] = [
      [{ listen: '*:5433' }, 'localhost', 5433],
      [{ listen: '0.0.0.0:5432' }, 'localhost', 5432],
      [{ listen: '10.0.0.11,127.0.0.1:5432' }, 'localhost', 5432],
      [{ listen: '10.0.0.11, 10.0.1.11:5432' }, '10.0.0.11', 5432],
      [{ listen: '10.0.0.11' }, '10.0.0.11', 5432],
      [{ listen: 'fd00::1:5432' }, 'fd00::1', 5432],
      [{ connect_address: '10.0.0.11:5433' }, '10.0.0.11', 5433],
      [{}, undefined],
      [{ listen: '{{ ip }}:5432' }, undefined],
    ];
    for (const [postgresql, host, port = 0] of table) {
      const expected = host === undefined ? undefined : { host, port };
      assert.deepEqual(settings({ postgresql }).postgres, expected, JSON.stringify(postgresql));
    }
  });

  it('have the timings of bootstrap.dcs, as Patroni 3.2 and later uses them', () => {
    const timings = (dcs: unknown): unknown => {
      const { ttlMs, loopWaitMs, retryTimeoutMs } = settings({ bootstrap: { dcs } }).timings ?? {};
      return [ttlMs, loopWaitMs, retryTimeoutMs];
    };
    assert.deepEqual(timings(undefined), [30_000, 10_000, 10_000]);
    assert.deepEqual(timings({ ttl: 20, loop_wait: 5, retry_timeout: 5 }), [20_000, 5000, 5000]);
    assert.deepEqual(timings({ ttl: 30, loop_wait: 10, retry_timeout: 20 }), [30_000, 1000, 14_000]);
    assert.deepEqual(timings({ ttl: 30, postgresql: { parameters: 'none' } }), [30_000, 10_000, 10_000]);
    assert.deepEqual(timings({ ttl: 'long' }), [undefined, undefined, undefined]);
  });
});

describe('the DCS', () => {
  const etcd3 = (section: unknown): Etcd3Settings => {
    const dcs = dcsOf({ etcd3: section });
    assert.ok(dcs.kind === 'etcd3');
    return dcs;
  };
  const hosts = (section: unknown): unknown => etcd3(section).hosts.map(({ host, port }) => `${host} ${port}`);

  it('is the first section that Patroni finds', () => {
    for (const name of ['consul', 'etcd', 'exhibitor', 'kubernetes', 'raft', 'zookeeper'] as const) {
      assert.deepEqual(dcsOf({ [name]: null }), { kind: 'other', name });
    }
    assert.deepEqual(dcsOf({ etcd3: {}, etcd: {} }), { kind: 'other', name: 'etcd' });
    assert.equal(dcsOf({ raft: {}, etcd3: {} }).kind, 'etcd3');
    assert.deepEqual(dcsOf({}), { kind: 'none' });
  });

  it('has hosts of etcd, written in many ways', () => {
    assert.deepEqual(hosts({ host: 'a' }), ['a 2379']);
    assert.deepEqual(hosts({ host: 'a:2380' }), ['a 2380']);
    assert.deepEqual(hosts({ host: 'a:2380', port: 2381 }), ['a 2381']); // as Patroni does
    assert.deepEqual(hosts({ hosts: 'a:1, b,http://c:3/', port: 9 }), ['a 1', 'b 9', 'c 3']);
    assert.deepEqual(hosts({ hosts: ['a:1', '[fd00::1]:2', 'A:1', 7, 'x y:3'], host: 'z' }), ['a 1', 'fd00::1 2']);
    assert.deepEqual(hosts({ url: 'https://u:p@a:1', hosts: 'b' }), ['a 1']);
    assert.deepEqual(hosts({ proxy: 'http://a', url: 'http://b' }), ['a 2379']);
    assert.deepEqual(hosts({ srv: 'example.org', host: 'a' }), []);
    for (const section of [null, {}, { hosts: 5 }, 'a']) assert.deepEqual(hosts(section), []);
    assert.equal(etcd3({ discovery_srv: 'example.org' }).srv, 'example.org');
  });

  it('has the scheme, the files and the user of etcd', () => {
    assert.equal(etcd3({ host: 'a' }).https, false);
    assert.equal(etcd3({ host: 'a', protocol: 'https' }).https, true);
    assert.equal(etcd3({ url: 'https://a' }).https, true);
    assert.equal(etcd3({ url: 'http://a', protocol: 'https' }).https, false);
    assert.deepEqual(etcd3({ cert: 'c', key: 'k' }).client, { certfile: 'c', keyfile: 'k' });
    assert.deepEqual(etcd3({ cert: 'c' }).client, { certfile: 'c', keyfile: 'c' });
    assert.equal(etcd3({ username: 'u', password: 'p' }).username, 'u');
    assert.equal(etcd3({ username: 'u' }).username, undefined);
    assert.equal(etcd3({ url: 'http://u%20v:p@a' }).username, 'u v');
    assert.equal(etcd3({ url: 'http://u@a' }).username, undefined);
    assert.equal(etcd3({ url: 'http://u:@a' }).username, undefined);
  });
});

describe("Patroni's environment", () => {
  const file = readPythonYaml('p.yml', 'scope: main\nname: node1\nrestapi: {listen: "0.0.0.0:8008", cafile: f}\n');

  it('counts before the file, key by key', () => {
    const config = patched(
      file,
      patroniEnvironment({
        PATRONI_NAME: 'env1',
        PATRONI_SCOPE: '',
        PATRONI_RESTAPI_LISTEN: '10.0.0.1:8009',
        PATRONI_RESTAPI_PASSWORD: 'secret',
        PATRONI_CTL_INSECURE: 'on',
        PATRONI_POSTGRESQL_LISTEN: '*:5433',
        PATRONI_CITUS_GROUP: '0x2',
        PATRONI_CITUS_DATABASE: 'db',
        HOME: '/root',
      }),
    );
    assert.deepEqual(config, {
      scope: 'main',
      name: 'env1',
      restapi: { listen: '10.0.0.1:8009', cafile: 'f' },
      ctl: { insecure: true },
      postgresql: { listen: '*:5433' },
      citus: { group: 2, database: 'db' },
    });
  });

  it('makes the section of a DCS', () => {
    const sections: readonly (readonly [environment: Record<string, string>, section: Section])[] = [
      [{ PATRONI_ETCD3_HOSTS: 'a:1,b:2' }, { etcd3: { hosts: ['a:1', 'b:2'] } }],
      [{ PATRONI_ETCD3_HOSTS: "'a:1', 'b:2'" }, { etcd3: { hosts: ['a:1', 'b:2'] } }],
      [{ PATRONI_ETCD3_HOSTS: '- a:1\n- b:2' }, { etcd3: { hosts: ['a:1', 'b:2'] } }],
      [{ PATRONI_ETCD3_HOSTS: '[a:1' }, {}],
      [{ PATRONI_ETCD3_HOST: 'a', PATRONI_ETCD3_PROTOCOL: 'https' }, { etcd3: { host: 'a', protocol: 'https' } }],
      [
        { PATRONI_ETCD3_URL: 'http://a', PATRONI_ETCD3_USERNAME: 'u', PATRONI_ETCD3_PASSWORD: 'p' },
        { etcd3: { url: 'http://a', username: 'u', password: 'p' } },
      ],
      [{ PATRONI_ETCD3_USERNAME: 'u' }, {}], // as Patroni does
      [{ PATRONI_CONSUL_TOKEN: 't' }, { consul: { token: 't' } }],
      [{ PATRONI_KUBERNETES_NAMESPACE: 'n' }, { kubernetes: { namespace: 'n' } }],
      [{ PATRONI_RAFT_SELF_ADDR: 'a:1' }, { raft: { self_addr: 'a:1' } }],
      [{ PATRONI_CITUS_GROUP: 'x', PATRONI_CITUS_HOST: 'y' }, {}],
      [{ PATRONI_CTL_INSECURE: 'perhaps', PATRONI_ETCD3_OTHER: 'x' }, {}],
    ];
    for (const [environment, section] of sections) {
      assert.deepEqual(patroniEnvironment(environment), section, JSON.stringify(environment));
    }
  });

  it('is laid over a file whose value is no section, and removes what is null', () => {
    assert.deepEqual(patched({ a: 1, b: 2 }, { a: { c: 3 }, b: null }), { a: { c: 3 } });
  });
});

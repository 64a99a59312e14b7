import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { type Environment, variableOf, variablesIn } from '../../src/config/environment.js';
import { allKeys } from '../../src/config/keys.js';
import { loadConfig, reloadFiles } from '../../src/config/load.js';
import { parseConfig } from '../../src/config/parse.js';
import type { Config } from '../../src/config/types.js';
import { ConfigError } from '../../src/errors.js';

const parse = (environment: Environment, text = '{}'): Config =>
  parseConfig({ text, file: 'c.yml', environment, nowMs: 0, readFile: () => '' });

/** The lines of the error. */
function problemsOf(environment: Environment, text?: string): readonly string[] {
  try {
    parse(environment, text);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.message.split('\n');
  }
  return [];
}

describe('a variable of the environment', () => {
  it('belongs to each key, and to one only', () => {
    const names = allKeys.map(variableOf);
    assert.equal(new Set(names).size, names.length);
    for (const name of ['PATRONIGLUE_FRONTEND_PORT', 'PATRONIGLUE_CACHE_SLOW_TTL', 'PATRONIGLUE_WITNESS_ETCD3_HOSTS']) {
      assert.ok(names.includes(name), name);
    }
    for (const name of names) assert.match(name, /^PATRONIGLUE(?:_[A-Z0-9]+)+$/);
  });

  it('has a value of each kind', () => {
    const { frontend, backend, agent, cache, witness } = parse({
      PATRONIGLUE_FRONTEND_HOST: '::1',
      PATRONIGLUE_FRONTEND_PORT: ' 8009 ',
      PATRONIGLUE_FRONTEND_STATUS: 'False',
      PATRONIGLUE_FRONTEND_REFRESH_FROM: '10.0.0.0/24, fd00::/64',
      PATRONIGLUE_FRONTEND_LOGFORMAT: '%a: %m #%U',
      PATRONIGLUE_BACKEND_ROUTES: '["/replica?tag_a=1,2", /primary]',
      PATRONIGLUE_AGENT_PORT: '8010',
      PATRONIGLUE_AGENT_STANDBY: 'DRAIN',
      PATRONIGLUE_CACHE_TTL: '2.5',
      PATRONIGLUE_CACHE_LEASE_GUARD: 'no',
      PATRONIGLUE_WITNESS_KEY: '/service/main',
      PATRONIGLUE_WITNESS_NAME: '17',
      PATRONIGLUE_WITNESS_ETCD3_HOSTS: '[fd00::1]:2379,10.0.0.11',
    });
    assert.deepEqual([frontend.host, frontend.port, frontend.status], ['::1', 8009, false]);
    assert.deepEqual(
      frontend.refreshFrom.map(({ prefix }) => prefix),
      [24, 64],
    );
    assert.equal(frontend.logFormat, '%a: %m #%U');
    assert.deepEqual(backend.routes, ['/replica?tag_a=1,2', '/primary']);
    assert.deepEqual([agent.port, agent.standby, cache.ttlMs, cache.leaseGuard], [8010, 'drain', 2500, false]);
    assert.deepEqual([witness?.key, witness?.name], ['/service/main', '17']);
    assert.deepEqual(witness?.etcd3.hosts, [
      { host: 'fd00::1', port: 2379 },
      { host: '10.0.0.11', port: 2379 },
    ]);
  });

  it('wins over the file, in a section of its own too; an empty one counts as absent', () => {
    const text =
      'frontend: {port: 8009, host: "::1"}\ncache:\nwitness: {key: /service/main, etcd3: {hosts: [10.0.0.1]}}';
    const environment = {
      PATRONIGLUE_FRONTEND_PORT: '8011',
      PATRONIGLUE_CACHE_TTL: '3',
      PATRONIGLUE_LOG_FORMAT: 'json',
      PATRONIGLUE_WITNESS_ETCD3_USERNAME: '',
      PATRONIGLUE_WITNESS_ETCD3_HOSTS: '10.0.0.2',
    };
    const { frontend, cache, log, witness } = parse(environment, text);
    assert.deepEqual([frontend.port, frontend.host, cache.ttlMs, log.format], [8011, '::1', 3000, 'json']);
    assert.deepEqual([witness?.key, witness?.etcd3.hosts], ['/service/main', [{ host: '10.0.0.2', port: 2379 }]]);
    assert.equal(variablesIn(environment).length, 4);
    assert.deepEqual(problemsOf({ PATRONIGLUE_FRONTEND_PORT: '8011' }, 'frontend: {port: eighty}'), []);
  });

  it('is named by its problems and warnings, in place of file and line', () => {
    assert.deepEqual(
      problemsOf(
        {
          PATRONIGLUE_FRONTEND_PORT: 'eighty',
          PATRONIGLUE_CACHE_TTL: '0',
          PATRONIGLUE_BACKEND_ROUTES: '/primary,/primry',
          PATRONIGLUE_BACKEND_KEYFILE: 'c.key',
          PATRONIGLUE_WITNESS_ETCD3_HOSTS: '10.0.0.1',
        },
        'cache: {interval: x}',
      ),
      [
        'PATRONIGLUE_FRONTEND_PORT: frontend.port: must be a whole number from 0 to 65535, not the text "eighty"',
        'PATRONIGLUE_BACKEND_ROUTES: backend.routes: unknown route "/primry": did you mean /primary?',
        'PATRONIGLUE_CACHE_TTL: cache.ttl: 0 is not possible: patroniglue answers only from its cache. (In the Go program, 0 meant no cache.) Write a time, such as 4',
        'PATRONIGLUE_WITNESS_ETCD3_HOSTS: witness.key: is missing: write namespace and scope of patroni.yml, such as /service/main',
        'PATRONIGLUE_BACKEND_KEYFILE: backend.keyfile: certfile is missing: give both certfile and keyfile, or neither',
        'c.yml:1:19: cache.interval: must be a number of seconds, such as 4 or 0.25, not the text "x"',
      ],
    );
    assert.deepEqual(parse({ PATRONIGLUE_BACKEND_INSECURE: 'true' }).warnings, [
      'PATRONIGLUE_BACKEND_INSECURE: backend.insecure: has no effect while backend.scheme is http',
    ]);
    assert.deepEqual(problemsOf({ PATRONIGLUE_CACHE_TTL: '3' }, 'cache: [4]').length, 1, 'the section is no section');
  });

  it('is refused if no key has it, with the nearest one', () => {
    assert.deepEqual(
      problemsOf({ PATRONIGLUE_FRONTEND_PROT: '80', PATRONIGLUE_FRONTED_PORT: '80', PATRONIGLUE_X: '1' }),
      [
        'PATRONIGLUE_FRONTED_PORT: unknown variable: did you mean PATRONIGLUE_FRONTEND_PORT?',
        'PATRONIGLUE_FRONTEND_PROT: unknown variable: did you mean PATRONIGLUE_FRONTEND_PORT?',
        'PATRONIGLUE_X: unknown variable: docs/configuration.md has the variable of each key',
      ],
    );
    const others = {
      PATRONIGLUE_CONFIG: 'c.yml',
      PATRONIGLUE_HEALTHY: 'http://localhost/',
      PATH: '/bin',
      PATRONI_NAME: 'a',
    };
    assert.deepEqual(problemsOf({ ...others, PATRONIGLUE_X: '' }), []);
  });

  it('may be one of those that Kubernetes sets for a Service of this name', () => {
    const links = {
      PATRONIGLUE_SERVICE_HOST: '10.96.0.1',
      PATRONIGLUE_SERVICE_PORT: '8009',
      PATRONIGLUE_SERVICE_PORT_CHECKS: '8009',
      PATRONIGLUE_PORT: 'tcp://10.96.0.1:8009',
      PATRONIGLUE_PORT_8009_TCP: 'tcp://10.96.0.1:8009',
      PATRONIGLUE_PORT_8009_TCP_ADDR: '10.96.0.1',
      PATRONIGLUE_AGENT_CHECKS_PORT: 'tcp://10.96.0.2:8010',
    };
    assert.deepEqual(problemsOf(links), []);
    assert.deepEqual(problemsOf({ PATRONIGLUE_FRONTEND_PORT: 'tcp://10.96.0.1:80' }), [
      'PATRONIGLUE_FRONTEND_PORT: frontend.port: Kubernetes sets this variable for a Service of that name: ' +
        'write enableServiceLinks: false in the pod, or rename the Service',
    ]);
  });

  it('does not stand for a file that is empty', () => {
    assert.match(
      problemsOf({ PATRONIGLUE_FRONTEND_PORT: '80' }, '# nothing yet').join(),
      /^c\.yml:1:1: the file has no keys/,
    );
  });

  it('is enough without a file, and stays in force at a reload', async () => {
    const environment = { PATRONIGLUE_FRONTEND_PORT: '8011' };
    const first = await loadConfig(undefined, undefined, environment);
    assert.deepEqual([first.config.frontend.port, first.config.warnings], [8011, []]);
    assert.equal((await loadConfig(first.file, first)).config.frontend.port, 8011);
    await assert.rejects(
      loadConfig(undefined, undefined, { PATRONIGLUE_FRONTEND_PORT: 'x' }),
      /^ConfigError: PATRONIGLUE_FRONTEND_PORT: /,
    );

    const dir = mkdtempSync(join(tmpdir(), 'patroniglue-environment-'));
    try {
      const [file, ca] = [join(dir, 'config.yml'), join(dir, 'password')];
      const etcd3 = { PATRONIGLUE_WITNESS_ETCD3_USERNAME: 'a', PATRONIGLUE_WITNESS_ETCD3_PASSWORD_FILE: ca };
      writeFileSync(file, 'frontend: {port: 1}\nwitness: {key: /service/main, etcd3: {hosts: [127.0.0.1]}}\n');
      writeFileSync(ca, 'one');
      const loaded = await loadConfig(file, undefined, { ...environment, ...etcd3 });
      assert.equal(loaded.config.witness?.etcd3.password, 'one');
      writeFileSync(ca, 'two');
      writeFileSync(file, 'frontend: {port: 2}\nwitness: {key: /service/main, etcd3: {hosts: [127.0.0.1]}}\n');
      const again = await loadConfig(loaded.file, loaded);
      assert.deepEqual([again.config.frontend.port, again.config.witness?.etcd3.password], [8011, 'two']);
      writeFileSync(ca, 'three');
      assert.equal((await reloadFiles(again))?.config.witness?.etcd3.password, 'three');
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});

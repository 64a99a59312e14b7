import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { findingsOf } from '../../../src/cli/doctor/findings/all.js';
import { seriesIn } from '../../../src/cli/doctor/series.js';
import type { NodeInEtcd } from '../../../src/cli/live-types.js';
import type { Facts, ServiceFacts } from '../../../src/cli/doctor/types.js';
import { haproxyIn } from '../../../src/cli/haproxy/file.js';
import { parseConfig } from '../../../src/config/parse.js';
import type { Config } from '../../../src/config/types.js';
import { MAX_CONNECTIONS } from '../../../src/sockets/open-files.js';
import { ASSUMED_TIMINGS } from '../../../src/patroni/timings-in-force.js';
import type { CanonicalRoute, FailureReason, PollOutcome } from '../../../src/patroni/types.js';

const root = fileURLToPath(new URL('../../../../', import.meta.url));
const example = readFileSync(`${root}examples/haproxy.cfg`, 'utf8');
const withAgents = readFileSync(`${root}examples/haproxy-agent.cfg`, 'utf8');

const NOW_MS = Date.parse('2026-01-01T00:00:00Z');
const DAY_MS = 86_400_000;

function configOf(text: string): Config {
  return parseConfig({ text, file: 'config.yml', nowMs: NOW_MS, readFile: () => '' });
}

const PLAIN = 'frontend: { host: 10.0.0.11, port: 8009 }\nagent: { port: 8010, host: 10.0.0.11 }\n';

/** A page of metrics, of a service that has run for an hour. */
function pageOf(...lines: readonly string[]): string {
  return [
    `process_start_time_seconds ${NOW_MS / 1000 - 3600}`,
    'patroniglue_build_info{version="1.1.0",node="20.20.0"} 1',
    `patroniglue_open_connections_limit ${MAX_CONNECTIONS}`,
    'patroniglue_cache_ttl_seconds 4',
    ...lines,
  ].join('\n');
}

const CHECKED = [
  'patroniglue_checks_total{route="/primary",status="200"} 900',
  'patroniglue_checks_total{route="/primary",status="503"} 100',
  'patroniglue_checks_total{route="/replica",status="503"} 1000',
];

function serving(page: string, isReady = true): ServiceFacts {
  const readiness = isReady ? 'ready' : 'not ready: no fresh answer to /primary';
  return { kind: 'answers', isReady, readiness, series: seriesIn(page) };
}

function answered(route: string, tookMs = 5): Facts['patroni']['answers'][number] {
  const body = Buffer.from('{"state": "running", "role": "primary", "patroni": {"name": "node1", "scope": "main"}}');
  const outcome: PollOutcome = { kind: 'answered', answer: { status: 200, body }, sentAtMs: 0, endedAtMs: tookMs };
  return { written: route, route: route as CanonicalRoute, outcome };
}

function failed(
  route: string,
  message = 'no complete answer within 2 s',
  reason: FailureReason = 'timed-out',
): Facts['patroni']['answers'][number] {
  const failure = { reason, message };
  return {
    written: route,
    route: route as CanonicalRoute,
    outcome: { kind: 'failed', failure, sentAtMs: 0, endedAtMs: 2000, givenUp: true },
  };
}

/** Everything as it should be. */
function wellFacts(): Facts {
  return {
    file: 'config.yml',
    config: configOf(PLAIN),
    haproxy: haproxyIn('haproxy.cfg', withAgents),
    patroni: {
      answers: [answered('/primary'), answered('/replica')],
      spared: 0,
      timings: ASSUMED_TIMINGS,
      version: '4.1.0',
      warnings: [],
    },
    witness: { isUsable: true, text: 'witness: it agrees with Patroni' },
    listen: [{ section: 'frontend', host: '10.0.0.11', isLoopback: false }],
    service: serving(pageOf(...CHECKED)),
    hosts: [
      { host: '10.0.0.11', isThisHost: true, accepts: true },
      { host: '10.0.0.12', isThisHost: false },
    ],
    process: { source: 'process 7', openFilesLimit: 4096, openFiles: 30 },
    version: '1.1.0',
    nowMs: NOW_MS,
  };
}

const NOBODY = { status: 503, why: 'no node holds the leader key' } as const;
const NODE1 = { isCompared: false, name: 'node1' } as const;

/** Patroni does not answer, checks get 503 by the witness, and etcd says this of the node. */
function frozen(seen: Omit<NodeInEtcd, 'isCompared' | 'name'>, up = 1): Partial<Facts> {
  const routes = ['/primary', '/replica', '/read-only'].flatMap((route) => [
    `patroniglue_snapshot_fresh{route="${route}"} 1`,
    `patroniglue_snapshot_status{route="${route}"} 503`,
  ]);
  const active = ['patroniglue_witness_active 1', `patroniglue_witness_up ${up}`];
  return {
    patroni: { answers: [failed('/primary')], spared: 3, warnings: [], timings: ASSUMED_TIMINGS },
    service: serving(pageOf(...CHECKED, ...routes, ...active)),
    witness: { isUsable: seen.hasMember, text: 'witness: Patroni has not answered', seen: { ...NODE1, ...seen } },
  };
}

/** `STATE check: what is found`, of the findings that are not OK. */
function badOf(changed: Partial<Facts>): readonly string[] {
  const findings = findingsOf({ ...wellFacts(), ...changed });
  for (const { state, todo } of findings)
    assert.equal(todo === undefined, state === 'OK', 'a bad line says what to do');
  return findings.filter(({ state }) => state !== 'OK').map(({ state, check, found }) => `${state} ${check}: ${found}`);
}

const slow = (words: string): Facts['haproxy'] => {
  const text = example.replaceAll('inter 3s fastinter 1s fall 3', words);
  assert.notEqual(text, example);
  return haproxyIn('haproxy.cfg', text);
};

const withoutGuard = configOf(`${PLAIN}cache: { lease-guard: false }\n`);

const silent = (silence: Extract<ServiceFacts, { kind: 'silent' }>['silence'], config = configOf(PLAIN)): string => {
  const service: ServiceFacts = { kind: 'silent', silence, problem: 'reason' };
  return findingsOf({ ...wellFacts(), config, service }).find(({ check }) => check === 'service')?.todo ?? '';
};

describe('the findings of the doctor', () => {
  it('say what to do about a service that gives no reply, by the way in which it gives none', () => {
    assert.match(silent('refused'), /^Start it/);
    assert.match(silent('late'), /it stands still: restart it/);
    assert.match(silent('another program'), /sport = :8009/);
    assert.match(silent('ended'), /reload it/);
    assert.match(silent('ended', configOf('frontend: { port: 8009, allow: [10.0.0.0/24] }')), /add it there/);
  });

  it('do not blame a firewall for a Patroni of which the service knows that it is frozen', () => {
    const patroni = { ...wellFacts().patroni, answers: [failed('/primary', 'not connected within 0.9 s')] };
    const todoOf = (page: string): string | undefined =>
      findingsOf({ ...wellFacts(), patroni, service: serving(page) }).find(({ check }) => check === 'patroni')?.todo;
    assert.match(todoOf(pageOf(...CHECKED)) ?? '', /firewall/);
    const todo = todoOf(pageOf(...CHECKED, 'patroniglue_patroni_frozen_seconds 50')) ?? '';
    assert.match(todo, /^Patroni hangs: take the evidence/);
    assert.doesNotMatch(todo, /firewall/);
  });

  it('do not call a Patroni frozen that has just ended, even if the service still does', () => {
    const patroni = { ...wellFacts().patroni, answers: [failed('/primary', 'connect ECONNREFUSED', 'refused')] };
    const service = serving(pageOf(...CHECKED, 'patroniglue_patroni_frozen_seconds 50'));
    const found = findingsOf({ ...wellFacts(), patroni, service }).find(({ check }) => check === 'patroni');
    assert.doesNotMatch(found?.found ?? '', /frozen/);
    assert.match(found?.todo ?? '', /^Start Patroni/);
  });

  it('say why the service gives this host no metrics', () => {
    const service: ServiceFacts = { ...serving(''), withoutMetrics: 'HTTP 403: only this host may' } as ServiceFacts;
    assert.match(badOf({ service }).join(), /UNKNOWN versions: .*not known: HTTP 403: only this host may/);
  });

  it('are all OK if all is well, and each matter is there', () => {
    const findings = findingsOf(wellFacts());
    assert.deepEqual(badOf({}), []);
    assert.deepEqual(
      [...new Set(findings.map(({ check }) => check))],
      [
        'configuration',
        'service',
        'versions',
        'patroni',
        'witness',
        'timings',
        'clients',
        'haproxy',
        'agents',
        'reach',
        'certificates',
        'files',
      ],
    );
  });

  const table: readonly (readonly [name: string, changed: () => Partial<Facts>, ...bad: RegExp[]])[] = [
    ['no HAProxy is named', () => ({ haproxy: undefined, hosts: [] })],
    ['no witness is configured', () => ({ witness: undefined })],
    [
      'the configuration has warnings',
      () => ({ config: { ...configOf(PLAIN), warnings: ['config.yml:3:1: backend.insecure: true'] } }),
      /^WARNING configuration: config\.yml:3:1/,
    ],
    [
      'the service cannot read a file',
      () => ({ closed: ['root can read /a.key, the service cannot'] }),
      /^WARNING configuration: root can read \/a\.key, the service cannot$/,
    ],
    [
      'the service cannot listen',
      () => ({ listen: [{ section: 'frontend', host: '10.9.9.9', isLoopback: false, problem: 'no such address' }] }),
      /^CRITICAL configuration: frontend\.host: no such address$/,
    ],
    [
      'the service is down',
      () => ({ service: { kind: 'silent', silence: 'refused', problem: 'connect ECONNREFUSED' } }),
      /^CRITICAL service: no patroniglue answers at 10\.0\.0\.11:8009: connect ECONNREFUSED$/,
    ],
    [
      'the service is not ready',
      () => ({ service: serving(pageOf(...CHECKED), false) }),
      /^CRITICAL service: .*not ready: no fresh answer to \/primary$/,
    ],
    [
      'another version runs',
      () => ({ version: '1.2.0' }),
      /^WARNING versions: patroniglue 1\.1\.0 runs, and 1\.2\.0 is installed/,
    ],
    [
      'the configuration is not loaded',
      () => ({ config: configOf(`${PLAIN}cache: { ttl: 3 }\n`) }),
      /^WARNING reload: the service runs with cache\.ttl 4 s, and config\.yml says 3 s$/,
    ],
    [
      'Patroni is frozen, and checks still get replies',
      () => ({ patroni: { answers: [failed('/primary')], spared: 3, warnings: [], timings: ASSUMED_TIMINGS } }),
      /^WARNING patroni: .*\/primary: poll timed out .*3 other routes are not asked.*checks still get replies$/,
    ],
    [
      'Patroni is frozen, and accepts no connection any more',
      () => ({
        patroni: {
          answers: [failed('/primary', 'not connected within 0.9 s')],
          spared: 3,
          warnings: [],
          timings: ASSUMED_TIMINGS,
        },
        service: serving(pageOf(...CHECKED, 'patroniglue_patroni_frozen_seconds 50.2')),
      }),
      /^WARNING patroni: .*\/primary: poll timed out \(not connected within 0\.9 s\); frozen for 50 s, as the service has seen; 3 other/,
    ],
    [
      'Patroni is frozen, and nobody answers checks',
      () => ({
        patroni: { answers: [failed('/primary')], spared: 3, warnings: [] },
        service: serving(pageOf(...CHECKED), false),
      }),
      /^CRITICAL service/,
      /^CRITICAL patroni/,
      /^UNKNOWN timings: Patroni has not said its timings/,
    ],
    [
      'Patroni is slow',
      () => ({ patroni: { ...wellFacts().patroni, answers: [answered('/primary', 1500)] } }),
      /^WARNING patroni: .*1500 ms .*more than half of backend\.timeout \(2 s\)$/,
    ],
    [
      'the witness contradicts Patroni',
      () => ({ witness: { isUsable: false, text: 'witness: not usable: another cluster' } }),
      /^WARNING witness: not usable: another cluster$/,
    ],
    [
      'all of Patroni is frozen, its keys have expired, and the witness had agreed',
      () => frozen({ hasMember: false, verdict: NOBODY }),
      /^WARNING patroni: .*; checks still get 503 for \/primary, \/replica, \/read-only, by the witness$/,
      /^CRITICAL witness: Patroni does not answer, and its member key in etcd has expired: all of Patroni is frozen .* not its API alone; no node holds the leader key: the witness says 503 for the primary$/,
    ],
    [
      'all of Patroni is frozen, and another node is the primary',
      () => frozen({ hasMember: false, leader: 'node2', verdict: { status: 503, why: 'the leader key names node2' } }),
      /^WARNING patroni/,
      /^WARNING witness: .*all of Patroni is frozen .*; the leader key names node2$/,
    ],
    [
      'all of Patroni is frozen, and the service has not compared the name',
      () => frozen({ hasMember: false, verdict: NOBODY }, 0),
      /^WARNING patroni/,
      /^CRITICAL witness: .*etcd has no member node1: all of Patroni is frozen .*, or node1 is not its name; no node holds/,
    ],
    [
      'Patroni is frozen, and its leader key will expire soon',
      () => {
        const why = 'the leader key names this node, but its lease was not renewed in time';
        return frozen({ hasMember: true, leader: 'node1', verdict: { status: 503, why } });
      },
      /^WARNING patroni/,
      /^CRITICAL witness: Patroni does not answer; .*not renewed in time: the witness says 503 for the primary$/,
    ],
    [
      'the API of Patroni is frozen, and another node is the primary',
      () => frozen({ hasMember: true, leader: 'node2', verdict: { status: 503, why: 'the leader key names node2' } }),
      /^WARNING patroni/,
    ],
    [
      'another program answers in place of Patroni, and the name is wrong',
      () => {
        const text = 'witness: not usable: etcd has no member node1';
        return { witness: { isUsable: false, text, seen: { ...NODE1, hasMember: false, leader: 'node2' } } };
      },
      /^WARNING witness: not usable: etcd has no member node1$/,
    ],
    [
      'no node holds the leader key, and Patroni answers',
      () => ({ witness: { isUsable: true, text: '', seen: { ...NODE1, isCompared: true, hasMember: true } } }),
      /^CRITICAL witness: no node holds the leader key: the cluster has no primary$/,
    ],
    [
      'HAProxy is slow, and the lease guard helps',
      () => ({ haproxy: slow('inter 5s fastinter 2s fall 3') }),
      /^WARNING timings: listen primary \(line \d+\): cache\.ttl 4 s \+ fall and inter 9 s = 13 s: over the bound of 10 s .*: only the lease guard/,
    ],
    [
      'HAProxy is slow, and there is no lease guard',
      () => ({ haproxy: slow('inter 5s fastinter 2s fall 3'), config: withoutGuard }),
      /^CRITICAL timings: listen primary .* 13 s: over .*HAProxy may use the old primary/,
    ],
    [
      'HAProxy is too slow for any guard',
      () => ({ haproxy: slow('inter 10s fastinter 10s fall 3') }),
      /^CRITICAL timings: listen primary .* 34 s: over/,
    ],
    [
      'cache.ttl alone is too long',
      () => ({
        haproxy: undefined,
        patroni: { ...wellFacts().patroni, timings: { ...ASSUMED_TIMINGS, ttlMs: 22_000 } },
      }),
      /^WARNING timings: cache\.ttl \(4 s\) is over/,
    ],
    [
      'nobody asks for a route',
      () => ({ service: serving(pageOf('patroniglue_checks_total{route="/replica",status="200"} 7')) }),
      /^WARNING clients: nobody has asked for \/primary since its start 60 min ago \(but \/replica: 7 checks\)$/,
    ],
    [
      'somebody asked, and asks no more',
      () => ({ service: serving(pageOf(...CHECKED, 'patroniglue_last_check_age_seconds{route="/primary"} 7300')) }),
      /^WARNING clients: nobody has asked for \/primary for 2 h$/,
    ],
    [
      'somebody asked a moment ago',
      () => ({ service: serving(pageOf(...CHECKED, 'patroniglue_last_check_age_seconds{route="/primary"} 2')) }),
    ],
    [
      'nobody asks at all, and no HAProxy is named',
      () => ({ service: serving(pageOf()), haproxy: undefined }),
      /^WARNING clients: nobody has asked for \/primary since/,
    ],
    [
      'nobody has asked yet',
      () => ({
        service: serving(pageOf().replace(/^process_start.*$/m, `process_start_time_seconds ${NOW_MS / 1000 - 5}`)),
      }),
    ],
    [
      'there are agent checks alone, by the counts',
      () => ({
        service: serving(pageOf('patroniglue_agent_checks_total{route="/primary",state="up"} 7')),
        haproxy: undefined,
      }),
      /^CRITICAL agents: agent checks come, and no HTTP check/,
    ],
    [
      'a server has an agent check and no health check',
      () => ({ haproxy: haproxyIn('haproxy.cfg', withAgents.replace('check port 8009 agent-check', 'agent-check')) }),
      /^CRITICAL agents: listen primary \(line \d+\): node1 with an agent check and no health check/,
    ],
    [
      'agent checks go where nobody listens',
      () => ({ config: configOf('frontend: { host: 10.0.0.11, port: 8009 }\n') }),
      /^WARNING agents: listen primary .* port 8010, where patroniglue does not listen$/,
      /^WARNING agents: listen replica /,
    ],
    [
      'HAProxy checks Patroni itself',
      () => ({
        haproxy: haproxyIn('haproxy.cfg', example.replaceAll('check port 8009', 'check port 8008')),
        hosts: [],
      }),
      /^WARNING haproxy: listen primary \(line \d+\) checks Patroni itself, at port 8008$/,
      /^WARNING haproxy: listen replica /,
      /^WARNING haproxy: no HTTP check of haproxy\.cfg asks port 8009$/,
    ],
    [
      'HAProxy checks a route that backend.routes lacks',
      () => {
        const haproxy = haproxyIn('haproxy.cfg', withAgents.replace('GET /replica', 'GET /replica?lag=10MB'));
        const page = pageOf(...CHECKED, 'patroniglue_checks_total{route="/replica?lag=10MB",status="503"} 1000');
        return { haproxy, service: serving(page) };
      },
      /^WARNING haproxy: backend\.routes lacks \/replica\?lag=10MB: the first check of it after a start gets 503$/,
    ],
    [
      'the file of HAProxy cannot be read',
      () => ({ haproxy: { file: 'haproxy.cfg', problem: 'cannot read the file' }, hosts: [] }),
      /^UNKNOWN haproxy: cannot read the file$/,
    ],
    [
      'HAProxy checks an address at which nobody listens',
      () => ({
        config: configOf('frontend: { host: 127.0.0.1, port: 8009 }\nagent: { port: 8010, host: 127.0.0.1 }\n'),
        listen: [{ section: 'frontend', host: '127.0.0.1', isLoopback: true }],
        hosts: [{ host: '10.0.0.11', isThisHost: true, accepts: false }],
      }),
      /^CRITICAL reach: HAProxy checks 10\.0\.0\.11 port 8009, and nothing accepts connections there \(frontend\.host is 127\.0\.0\.1\)$/,
    ],
    [
      'HAProxy does not know this host',
      () => ({ hosts: [{ host: '10.0.0.12', isThisHost: false }] }),
      /^WARNING reach: no server line of haproxy\.cfg names an address of this host \(it names 10\.0\.0\.12\)$/,
    ],
    [
      "Patroni's certificate ends soon",
      () => ({
        patroni: { ...wellFacts().patroni, certificate: { fromMs: NOW_MS - 300 * DAY_MS, toMs: NOW_MS + 9 * DAY_MS } },
      }),
      /^WARNING certificates: Patroni's certificate ends on 2026-01-10/,
    ],
    [
      'the certificate of the front end has expired',
      () => {
        const service = serving(pageOf(...CHECKED)) as Extract<ServiceFacts, { kind: 'answers' }>;
        return { service: { ...service, certificate: { fromMs: NOW_MS - 300 * DAY_MS, toMs: NOW_MS - 1000 } } };
      },
      /^CRITICAL certificates: the certificate that the front end shows expired on 2025-12-31/,
    ],
    [
      'the limit of open files is low',
      () => ({ process: { source: 'process 7', openFilesLimit: 256, openFiles: 30 } }),
      /^WARNING files: process 7: 30 open files of 256/,
    ],
    [
      'the files of the service run out',
      () => ({ process: { source: 'process 7', openFilesLimit: 1024, openFiles: 1000 } }),
      /^WARNING files: process 7: 1000 open files of 1024: more than four fifths$/,
    ],
    [
      'the process may not be seen, and the service says that it allows few connections',
      () => ({
        process: undefined,
        service: serving(pageOf(...CHECKED).replace(`limit ${MAX_CONNECTIONS}`, 'limit 100')),
      }),
      /^WARNING files: the service allows 100 connections of clients$/,
    ],
    ['the process may not be seen', () => ({ process: undefined })],
  ];
  for (const [name, changed, ...bad] of table) {
    it(`if ${name}`, () => {
      const found = badOf(changed());
      assert.equal(found.length, bad.length, found.join('\n'));
      for (const [at, one] of bad.entries()) assert.match(found[at] ?? '', one);
    });
  }
});

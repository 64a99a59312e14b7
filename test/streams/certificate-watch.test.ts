import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { BehaviorSubject, type Subscription, VirtualTimeScheduler, Subject } from 'rxjs';
import type { Validity } from '../../src/certificates/validity.js';
import {
  type CertificateWarning,
  type CertificateWatch,
  createCertificateWatch,
} from '../../src/streams/certificate-watch.js';
import { parseConfig } from '../../src/config/parse.js';
import type { Config } from '../../src/config/types.js';
import {
  type CertificateFiles,
  createCertificates,
  issueCertificate,
  withoutOpenssl,
} from '../support/certificates.js';

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
const [BEGIN_MS, END_MS] = [Date.UTC(2026, 0, 1), Date.UTC(2027, 0, 1)];

describe('the watch over certificates', { skip: await withoutOpenssl() }, () => {
  const texts = new Map<string, string>();
  let dir: string;
  let pair: CertificateFiles;
  let ca: CertificateFiles;
  let wallMs: number;
  let scheduler: VirtualTimeScheduler;
  let config$: BehaviorSubject<Config>;
  let shown$: Subject<Validity>;
  let watch: CertificateWatch;
  let told: CertificateWarning[];
  let subscription: Subscription;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'patroniglue-watch-'));
    await createCertificates(dir);
    const [from, to, later] = [new Date(BEGIN_MS), new Date(END_MS), new Date(END_MS + 3650 * DAY_MS)];
    ca = await issueCertificate(dir, 'a-ca', { extensions: ['basicConstraints=CA:TRUE'], from, to: later });
    pair = await issueCertificate(dir, 'a-year', { extensions: [], from, to, by: ca });
    for (const file of [pair.cert, pair.key, ca.cert]) texts.set(file, await readFile(file, 'utf8'));
  });
  after(() => rm(dir, { recursive: true, force: true }));

  const parse = (text: string): Config =>
    parseConfig({ text, file: 'c.yml', nowMs: wallMs, readFile: (file) => texts.get(file) ?? '' });

  /** Starts the watch this many days before the end of `pair`. */
  function start(daysBefore: number, text: string): void {
    wallMs = END_MS - daysBefore * DAY_MS;
    scheduler = new VirtualTimeScheduler(undefined, 0);
    config$ = new BehaviorSubject(parse(text));
    shown$ = new Subject();
    watch = createCertificateWatch(config$, shown$, scheduler, () => wallMs);
    told = [];
    subscription = watch.warning$.subscribe({
      next: (warning) => told.push(warning),
      error: (cause: unknown) => assert.fail(String(cause)),
    });
  }

  /** A minute passes, and the wall clock moves to this many days before the end of `pair`. */
  function come(daysBefore: number): readonly string[] {
    const count = told.length;
    wallMs = END_MS - daysBefore * DAY_MS;
    scheduler.maxFrames += MINUTE_MS;
    scheduler.flush();
    return told.slice(count).map(({ message }) => message);
  }

  const served = (): string => `{ frontend: { certfile: ${pair.cert}, keyfile: ${pair.key} } }`;
  const overHttps = (more = ''): string => `{ backend: { scheme: https, cafile: ${ca.cert}${more} } }`;
  const shown: Validity = { fromMs: BEGIN_MS, toMs: END_MS };

  afterEach(() => {
    subscription.unsubscribe();
  });

  it("warns of the front end's at 30 days, at 7 and at its end, once each", () => {
    start(40, served());
    const name = `frontend.certfile: ${pair.cert}: the certificate`;
    assert.deepEqual(come(30.1), []);
    assert.deepEqual(come(29.9), [`${name} ends on 2027-01-01T00:00:00Z, in less than 30 days`]);
    assert.deepEqual(come(8), []);
    assert.deepEqual(come(6.9), [`${name} ends on 2027-01-01T00:00:00Z, in less than 7 days`]);
    assert.deepEqual(come(1), []);
    assert.deepEqual(come(-0.1), [`${name} expired on 2027-01-01T00:00:00Z`]);
    assert.deepEqual(come(-3), []);
    assert.deepEqual(watch.warnings(), [`${name} expired on 2027-01-01T00:00:00Z`]);
    assert.deepEqual(told[0], { owner: 'frontend', toMs: END_MS, message: told[0]?.message });
  });

  it('leaves what was near when the files were read to the warnings of the configuration', () => {
    start(20, served());
    assert.match(config$.getValue().warnings.join(), /ends on 2027-01-01T00:00:00Z, in less than 30 days$/);
    assert.deepEqual(come(20), []);
    assert.deepEqual(watch.warnings(), []);
    assert.equal(come(5).length, 1);
    config$.next(parse(served())); // a reload that changes nothing tells it again, by the configuration's warnings
    assert.deepEqual(watch.warnings(), []);
    assert.equal(told.length, 1);
  });

  it('warns of our own towards Patroni, and of the last CA that is trusted', () => {
    start(40, overHttps(`, certfile: ${pair.cert}, keyfile: ${pair.key}`));
    assert.match(come(20).join(), /^backend\.certfile: .*a-year\.pem: the certificate ends on 2027/);
    assert.match(come(-3640).join(), /a-year\.pem: the certificate expired .*a-ca\.pem: the certificate ends on 2036/);
    assert.deepEqual([...watch.ends()].sort(), [
      ['ca', END_MS + 3650 * DAY_MS],
      ['client', END_MS],
    ]);
  });

  it('warns of our own towards etcd, and of the last CA that is trusted for etcd', () => {
    const etcd3 = (more: string): string => `etcd3: { hosts: [10.0.0.11], scheme: https, cafile: ${ca.cert}${more} }`;
    const witness = (more: string): string => `{ witness: { key: /service/main, ${etcd3(more)} } }`;
    start(40, witness(`, certfile: ${pair.cert}, keyfile: ${pair.key}`));
    assert.match(come(20).join(), /^witness\.etcd3\.certfile: .*a-year\.pem: the certificate ends on 2027/);
    assert.equal(told[0]?.owner, 'witness-client');
    assert.match(come(-3640).join(), /witness\.etcd3\.cafile: .*a-ca\.pem: the certificate ends on 2036/);
    assert.deepEqual([...watch.ends()].sort(), [
      ['witness-ca', END_MS + 3650 * DAY_MS],
      ['witness-client', END_MS],
    ]);
    config$.next(parse(witness(', insecure: true')));
    assert.deepEqual([...watch.ends()], [], 'a CA that is not used has no end');
  });

  it('warns of the last CA of our clients, if they need certificates', () => {
    const frontend = (more: string): string =>
      `{ frontend: { certfile: ${pair.cert}, keyfile: ${pair.key}, cafile: ${ca.cert}${more} } }`;
    start(40, frontend(', verify-client: optional'));
    assert.match(come(-3640).join(), /frontend\.cafile: .*a-ca\.pem: the certificate ends on 2036/);
    assert.equal(watch.ends().get('frontend-ca'), END_MS + 3650 * DAY_MS);
    config$.next(parse(frontend('')));
    assert.deepEqual([...watch.ends()], [['frontend', END_MS]], 'a CA that is not used has no end');
  });

  it("warns of Patroni's at once when it is shown first, and as time passes", () => {
    start(20, overHttps());
    shown$.next(shown);
    shown$.next(shown);
    assert.deepEqual(told, [
      {
        owner: 'patroni',
        toMs: END_MS,
        message: "Patroni's certificate ends on 2027-01-01T00:00:00Z, in less than 30 days",
      },
    ]);
    shown$.next(shown);
    assert.deepEqual(come(19), []);
    assert.deepEqual(come(5), ["Patroni's certificate ends on 2027-01-01T00:00:00Z, in less than 7 days"]);
    shown$.next({ fromMs: END_MS, toMs: END_MS + 365 * DAY_MS }); // it was renewed
    assert.deepEqual(come(4), []);
    assert.deepEqual(watch.warnings(), []);
    assert.equal(watch.ends().get('patroni'), END_MS + 365 * DAY_MS);
  });

  it('tells at most once a minute of certificates that change with each poll', () => {
    start(20, overHttps());
    for (let poll = 0; poll < 60; poll += 1) shown$.next({ fromMs: BEGIN_MS, toMs: END_MS + poll });
    assert.equal(told.length, 1);
  });

  it("forgets Patroni's when another Patroni is asked, and does not warn of it where it is not checked", () => {
    start(20, overHttps());
    shown$.next(shown);
    config$.next(parse(overHttps(', port: 8010')));
    assert.equal(watch.ends().has('patroni'), false);
    assert.deepEqual(watch.warnings(), []);

    start(20, '{ backend: { scheme: https, insecure: true } }');
    shown$.next(shown);
    assert.deepEqual(told, []);
    assert.equal(watch.ends().get('patroni'), END_MS, 'the metric tells it all the same');
  });
});

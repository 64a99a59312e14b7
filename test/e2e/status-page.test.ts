import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Browser, type Page, chromium } from 'playwright-core';
import { ask } from '../support/clients/http-get.js';
import { findProgram, skipReason } from '../support/processes/programs.js';
import { type Service, startService } from '../support/processes/service.js';
import { openLink } from '../support/upstreams/link.js';
import {
  type Behaviour,
  type Upstream,
  answering,
  routeOf,
  silent,
  startUpstream,
} from '../support/upstreams/upstream.js';
import { eventually } from '../support/time/wait.js';

/** Where pictures go, if anybody wants them: `npm run screenshots` does. */
const pictures = process.env['TEST_PICTURES'];
/** A scripted Patroni 3.0.2 of that role. */
const patroni = (role: 'master' | 'replica'): Behaviour => {
  const routes = role === 'master' ? ['/primary', '/read-only', '/leader'] : ['/replica', '/read-only'];
  return (socket, head) => {
    const route = routeOf(head) ?? '';
    const body = BODIES[route] ?? {
      ...{ state: 'running', role, timeline: 4, dcs_last_seen: Math.floor(new Date().getTime() / 1000) - 1 },
      ...(role === 'master' && {
        replication: [NODE2, NODE3].map(({ name, state }) => ({ application_name: name, state })),
      }),
      patroni: { version: '3.0.2', scope: 'main', name: 'node1' },
    };
    const status = route in BODIES || routes.includes(route) ? 200 : 503;
    answering(status, JSON.stringify(body))(socket, head);
  };
};
const NODE2 = { name: 'node2', role: 'replica', state: 'streaming', timeline: 4, lag: 0 };
const NODE3 = { name: 'node3', role: 'replica', state: 'streaming', timeline: 4, lag: 16_777_216 };
const BODIES: Readonly<Record<string, object>> = {
  '/cluster': { members: [{ name: 'node1', role: 'leader', state: 'running', timeline: 4 }, NODE2, NODE3] },
  '/config': { ttl: 20 }, // the bound of cache.ttl is 0
};
/** Counts how often a screen reader would speak. */
const WATCH_SAID = `
  globalThis.timesSaid = 0;
  new MutationObserver(() => (timesSaid += 1)).observe(document.querySelector('[role=status]'), {
    childList: true, characterData: true, subtree: true,
  });`;
const PHONE = { width: 360, height: 780 };

describe('the status page in Chromium', { skip: await skipReason(['chromium']) }, () => {
  let upstream: Upstream;
  let service: Service;
  let browser: Browser;
  let complaints: string[];

  before(async () => {
    upstream = await startUpstream();
    upstream.behave(patroni('master'));
    const config = { backend: { host: '127.0.0.1', port: upstream.port }, cache: { ttl: 2, interval: 0.25 } };
    service = await startService({ config });
    browser = await chromium.launch({ executablePath: findProgram('chromium'), args: ['--no-sandbox'] });
  });
  after(async () => {
    await browser.close();
    await service.close();
    await upstream.close();
  });

  async function open(options: Parameters<Browser['newPage']>[0] = {}, port = service.port): Promise<Page> {
    upstream.behave(patroni('master'));
    await eventually('fresh', 5000, async () => (await service.get('/primary')).status === 200);
    const page = await browser.newPage(options);
    complaints = [];
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(String(error)));
    await page.goto(`http://127.0.0.1:${port}/-/status`);
    return page;
  }

  const picture = async (page: Page, name: string): Promise<void> => {
    if (pictures !== undefined) await page.screenshot({ path: `${pictures}/${name}.png`, fullPage: false });
  };

  it('says what checks get, who asked last, and what Patroni says of the node and its cluster', async () => {
    const page = await open();
    await expectLive(page);
    const head = page.locator('header.leader');
    await head.getByRole('heading', { name: 'node1 master of cluster main', exact: true }).waitFor();
    await head
      .getByRole('listitem')
      .filter({ hasText: /^\/primary 200$/ })
      .waitFor();
    await head.getByText(/^0\.\d s ago \(\d\d:\d\d:\d\d\)$/).waitFor();
    await head.getByText(/^safe for \d+ s more, by Patroni’s last look at its DCS$/).waitFor();
    await head.getByText(/s ago by 127\.0\.0\.1: \/primary/).waitFor();
    assert.equal(await page.title(), 'node1: master, /primary 200');
    await page.getByRole('row', { name: /^node1 this node leader running 4/ }).waitFor();
    await page.getByRole('row', { name: /^node3 replica streaming 4 16 MiB/ }).waitFor();
    upstream.behave(patroni('replica'));
    await page
      .locator('header.standby')
      .getByRole('listitem')
      .filter({ hasText: /^\/primary 503$/ })
      .waitFor();
    assert.equal(await page.locator('.none, .alarm').count(), 0, 'a right 503 is not red');
    assert.deepEqual(complaints, []);
    await page.close();
  });

  it('asks Patroni for the members of its cluster at the slow pace', async () => {
    const asked = (): number => upstream.requests.filter((head) => routeOf(head) === '/cluster').length;
    const page = await open();
    await page.getByRole('row', { name: /^node2 replica/ }).waitFor();
    const [before, startedMs] = [asked(), performance.now()];
    await eventually('five seconds have passed', 10_000, () => performance.now() - startedMs > 5100);
    const most = Math.ceil((performance.now() - startedMs) / 5000);
    assert.ok(asked() - before <= most, `${asked() - before} of at most ${most}`);
    await page.close();
  });

  it('moves when Patroni freezes, and when it is back', async () => {
    const page = await open({ viewport: { width: 1100, height: 1000 } });
    await expectLive(page);
    await page.getByRole('listitem').filter({ hasText: 'cache.ttl (2 s) is over' }).waitFor();
    await page.getByRole('row', { name: /^node2 replica/ }).waitFor();
    const bar = page.locator('tr', { hasText: '/primary' }).locator('progress');
    const age = (): Promise<number> => bar.evaluate((element) => Number(element.getAttribute('value')));

    upstream.behave(silent);
    await eventually('the bar has moved on', 5000, async () => (await age()) > 800, 20);
    await page.locator('tr.stale', { hasText: '/primary' }).getByText('poll timed out').first().waitFor();
    await page.locator('header.no-fresh-answer').getByText('There is no fresh answer of Patroni').waitFor();
    await page.getByText(/frozen since \d\d:\d\d:\d\d/).waitFor();
    assert.equal(await page.title(), 'node1: was master, /primary 503, no fresh answer');
    await page
      .getByRole('listitem')
      .filter({ hasText: '/primary: 200 -> 503 (stale: poll timed out' })
      .first()
      .waitFor();
    await picture(page, 'status-light');
    upstream.behave(patroni('master'));
    await page.locator('tr.fresh', { hasText: '/primary' }).waitFor();
    assert.deepEqual(complaints, []);
    await page.close();
  });

  it('shows times in the time zone of the reader, with the date if it is another day', async () => {
    const page = await open({ timezoneId: 'Pacific/Kiritimati' });
    await expectLive(page);
    await page.getByText('Pacific/Kiritimati (GMT+14)', { exact: true }).waitFor();
    const shown = page.locator('time').first();
    const at = new Date((await shown.getAttribute('datetime')) ?? '');
    const expected = new Intl.DateTimeFormat('sv', {
      timeZone: 'Pacific/Kiritimati',
      dateStyle: 'short',
      timeStyle: 'medium',
    });
    const atTheSameTime = await shown.evaluate((element) => [
      element.getAttribute('datetime'),
      element.getAttribute('title'),
    ]);
    assert.equal(atTheSameTime[1], `${expected.format(new Date(atTheSameTime[0] ?? ''))} GMT+14`);
    assert.ok(!Number.isNaN(at.getTime()));
    await page.close();
  });

  it('keeps open what a person has opened, and the learned routes folded', async () => {
    await service.get('/replica?lag=10MB');
    const page = await open();
    const row = page.getByRole('row', { name: /lag=10MB/ });
    const summary = page.getByText(/learned routes?, polled because/);
    await summary.waitFor();
    assert.equal(await row.isVisible(), false);
    await summary.click();
    await row.waitFor();
    const at = await page.locator('header time').first().getAttribute('datetime');
    await eventually(
      'another event',
      5000,
      async () => (await page.locator('header time').first().getAttribute('datetime')) !== at,
    );
    assert.equal(await row.isVisible(), true);
    await page.close();
  });

  it('leaves what a person has selected, and where a screen reader is: an event changes only what is new', async () => {
    const page = await open();
    await expectLive(page);
    const head = page.locator('header time').first();
    const select =
      'getSelection().selectAllChildren(document.querySelector("footer").previousElementSibling.querySelector("h1"))';
    await page.evaluate(select);
    await page.evaluate(WATCH_SAID);
    for (let event = 0; event < 2; event += 1) {
      const at = await head.getAttribute('datetime');
      await eventually('another event', 5000, async () => (await head.getAttribute('datetime')) !== at);
    }
    assert.match(String(await page.evaluate('getSelection().toString()')), /^node1/);
    const said = page.getByRole('status');
    assert.equal(await said.textContent(), 'node1: master, /primary 200');
    assert.equal(await page.evaluate('timesSaid'), 0, 'a screen reader says nothing while nothing changes');
    upstream.behave(patroni('replica'));
    await eventually('it is said', 5000, async () => (await said.textContent()) === 'node1: replica, /primary 503');
    await page.close();
  });

  it('fits a phone, in the dark', async () => {
    const page = await open({ viewport: PHONE, colorScheme: 'dark' });
    await expectLive(page);
    const width = await page.evaluate('document.documentElement.scrollWidth');
    assert.ok(Number(width) <= PHONE.width, `${String(width)} px wide`);
    await picture(page, 'status-dark-phone');
    assert.deepEqual(complaints, []);
    await page.close();
  });

  it('is whole without JavaScript', async () => {
    const page = await open({ javaScriptEnabled: false });
    for (const text of ['master', 'node1', '/primary', '/replica', 'node2 streaming, node3 streaming', ' UTC']) {
      assert.ok((await page.content()).includes(text), text);
    }
    await page.close();
  });

  /** The page shows that nothing on it is true any more: in words, in grey, in its title and by its icon. */
  async function expectDead(page: Page): Promise<void> {
    await page.getByText(/^no news for \d+ s$/).waitFor({ timeout: 10_000 });
    await page.locator('body.dead').waitFor();
    assert.match(await page.title(), /^no news: node1/);
    assert.equal(await iconOf(page), await page.locator('link[rel=icon]').getAttribute('data-dead'));
  }

  async function expectLive(page: Page): Promise<void> {
    await page.getByText('live', { exact: true }).waitFor({ timeout: 20_000 });
    await page.locator('body:not(.dead)').waitFor();
    assert.match(await page.title(), /^node1/);
    assert.notEqual(await iconOf(page), await page.locator('link[rel=icon]').getAttribute('data-dead'));
  }

  const iconOf = (page: Page): Promise<string | null> => page.locator('link[rel=icon]').getAttribute('href');

  it('says so when the service stands still, for how long, and when it goes on', async () => {
    const page = await open();
    await expectLive(page);
    service.signal('SIGSTOP');
    try {
      await expectDead(page);
      await page.getByText('no news for 5 s', { exact: true }).waitFor();
    } finally {
      service.signal('SIGCONT');
    }
    await expectLive(page);
    assert.deepEqual(complaints, []);
    await page.close();
  });

  it('says so when the service has died, and is live again with the next one', async () => {
    const page = await open();
    await expectLive(page);
    for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
      service.signal(signal);
      await service.exit;
      await expectDead(page);
      await service.startAgain();
      await expectLive(page);
    }
    await page.close();
  });

  it('connects anew if a connection brings nothing any more and does not end', async () => {
    const link = await openLink(service.port);
    const page = await open({}, link.port);
    await expectLive(page);
    link.set('dripping'); // the open connection brings no event from now on, also after the link has become clear
    await expectDead(page);
    link.set('clear');
    await expectLive(page);
    await page.close();
    await link.close();
  });

  it('is off where the configuration says so', async () => {
    const config = { frontend: { status: false }, backend: { host: '127.0.0.1', port: upstream.port } };
    const other = await startService({ config });
    for (const path of ['/-/status', '/-/runbook', '/-/status.json', '/-/status/events', '/-/status.js']) {
      assert.equal((await ask(other.port, path)).status, 404, path);
    }
    assert.equal((await ask(other.port, '/-/metrics')).status, 200);
    await other.close();
  });
});

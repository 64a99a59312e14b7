import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Browser, type Page, chromium } from 'playwright-core';
import { ask } from '../support/clients/http-get.js';
import { findProgram, skipReason } from '../support/processes/programs.js';
import { type Service, startService } from '../support/processes/service.js';
import { openLink } from '../support/upstreams/link.js';
import { type Upstream, answering, silent, startUpstream } from '../support/upstreams/upstream.js';
import { eventually } from '../support/time/wait.js';

/** Where pictures go, if anybody wants them: `npm run screenshots` does. */
const pictures = process.env['PATRONIGLUE_PICTURES'];
const BODY = JSON.stringify({
  state: 'running',
  role: 'master',
  timeline: 4,
  replication: [
    { application_name: 'node2', state: 'streaming' },
    { application_name: 'node3', state: 'streaming' },
  ],
  patroni: { version: '3.0.2', scope: 'main', name: 'node1' },
  ttl: 20, // what is asked for `/config` gets this, too: the bound of cache.ttl is 0
});
const PHONE = { width: 360, height: 780 };

describe('the status page in Chromium', { skip: await skipReason(['chromium']) }, () => {
  let upstream: Upstream;
  let service: Service;
  let browser: Browser;
  let complaints: string[];

  before(async () => {
    upstream = await startUpstream();
    upstream.behave(answering(200, BODY));
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
    upstream.behave(answering(200, BODY));
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

  it('moves when Patroni freezes, and when it is back', async () => {
    const page = await open({ viewport: { width: 1100, height: 760 } });
    await page.getByText('live', { exact: true }).waitFor();
    await page.locator('tr.fresh', { hasText: '/primary' }).getByText('200', { exact: true }).waitFor();
    await page.getByRole('heading', { name: 'node1 ready', exact: true }).waitFor();
    await page.getByRole('listitem').filter({ hasText: 'cache.ttl (2 s) is over' }).waitFor();
    const bar = page.locator('tr', { hasText: '/primary' }).getByRole('progressbar');
    const age = (): Promise<number> => bar.evaluate((element) => Number(element.getAttribute('value')));

    upstream.behave(silent);
    await eventually('the bar has moved on', 5000, async () => (await age()) > 800, 20);
    await page.locator('tr.stale', { hasText: '/primary' }).getByText('poll timed out').first().waitFor();
    await page.getByRole('heading', { name: 'node1 not ready' }).waitFor();
    await page
      .getByRole('listitem')
      .filter({ hasText: '/primary: 200 -> 503 (stale: poll timed out' })
      .first()
      .waitFor();
    await picture(page, 'status-light');
    upstream.behave(answering(200, BODY));
    await page.locator('tr.fresh', { hasText: '/primary' }).waitFor();
    assert.deepEqual(complaints, []);
    await page.close();
  });

  it('fits a phone, in the dark', async () => {
    const page = await open({ viewport: PHONE, colorScheme: 'dark' });
    await page.getByText('live', { exact: true }).waitFor();
    const width = await page.evaluate('document.documentElement.scrollWidth');
    assert.ok(Number(width) <= PHONE.width, `${String(width)} px wide`);
    await picture(page, 'status-dark-phone');
    assert.deepEqual(complaints, []);
    await page.close();
  });

  it('is whole without JavaScript', async () => {
    const page = await open({ javaScriptEnabled: false });
    for (const text of ['master', 'node1', '/primary', '/replica', 'node2 streaming, node3 streaming']) {
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
      await picture(page, 'status-dead');
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
    for (const path of ['/-/status', '/-/status.json', '/-/status/events', '/-/status.js']) {
      assert.equal((await ask(other.port, path)).status, 404, path);
    }
    assert.equal((await ask(other.port, '/-/metrics')).status, 200);
    await other.close();
  });
});

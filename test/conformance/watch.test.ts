import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { answering, ending, startUpstream, type Upstream } from '../support/upstream.js';
import { watch, type Watched } from './watch.js';

/** What is found of two scripted servers while `change` is made to them. */
async function watchWhile(change: (patroni: Upstream, patroniglue: Upstream) => Promise<void>): Promise<Watched> {
  const [patroni, patroniglue] = await Promise.all([startUpstream(), startUpstream()]);
  const stop = new AbortController();
  try {
    const [theirs, ours] = [patroni, patroniglue].map(({ port }) => ({ host: '127.0.0.1', port })) as [never, never];
    const options = { patroni: theirs, patroniglue: ours, targets: ['/primary'], everyMs: 10, signal: stop.signal };
    const found = watch(options);
    await sleep(100);
    await change(patroni, patroniglue);
    await sleep(100);
    stop.abort();
    const [watched] = await found;
    assert.ok(watched);
    return watched;
  } finally {
    await Promise.all([patroni.close(), patroniglue.close()]);
  }
}

const refuse = (server: Upstream): void => {
  server.behave(answering(503));
};

describe('watch', () => {
  it('tells for how long patroniglue said something else', async () => {
    const { patroni, patroniglue, longestDifferenceMs } = await watchWhile(async (theirs, ours) => {
      refuse(theirs);
      await sleep(400);
      refuse(ours);
    });
    assert.deepEqual(
      [patroni, patroniglue],
      [
        ['200', '503'],
        ['200', '503'],
      ],
    );
    assert.ok(longestDifferenceMs > 200 && longestDifferenceMs < 2000, String(longestDifferenceMs));
  });

  it('sees what lasts to the end', async () => {
    const { longestDifferenceMs } = await watchWhile(async (theirs) => {
      refuse(theirs);
      await sleep(400);
    });
    assert.ok(longestDifferenceMs > 200, String(longestDifferenceMs));
  });

  it('finds nothing where both say the same, or one says nothing', async () => {
    const alike = await watchWhile(() => sleep(200));
    assert.equal(alike.longestDifferenceMs, 0);
    const speechless = await watchWhile(async (theirs, ours) => {
      theirs.behave(ending(''));
      refuse(ours);
      await sleep(200);
      refuse(theirs);
    });
    assert.ok(speechless.longestDifferenceMs < 200, String(speechless.longestDifferenceMs));
  });
});

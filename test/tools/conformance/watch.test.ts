import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { answering, ending, startUpstream, type Upstream } from '../../support/upstreams/upstream.js';
import { eventually } from '../../support/time/wait.js';
import { watch, type Watched } from './watch.js';

const EVERY_MS = 10;

/** Both are asked so often from now on. */
async function asked(times: number, ...servers: readonly Upstream[]): Promise<void> {
  const before = servers.map(({ requests }) => requests.length);
  await eventually(`each is asked ${times} times`, 20_000, () =>
    servers.every(({ requests }, index) => requests.length >= (before[index] ?? 0) + times),
  );
}

/** What is found of two scripted servers while `change` is made to them. */
async function watchWhile(change: (patroni: Upstream, patroniglue: Upstream) => Promise<void>): Promise<Watched> {
  const [patroni, patroniglue] = await Promise.all([startUpstream(), startUpstream()]);
  const stop = new AbortController();
  try {
    const [theirs, ours] = [patroni, patroniglue].map(({ port }) => ({ host: '127.0.0.1', port })) as [never, never];
    const options = {
      patroni: theirs,
      patroniglue: ours,
      targets: ['/primary'],
      everyMs: EVERY_MS,
      signal: stop.signal,
    };
    const found = watch(options);
    await asked(3, patroni, patroniglue);
    await change(patroni, patroniglue);
    await asked(3, patroni, patroniglue);
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
      await asked(20, theirs, ours);
      refuse(ours);
    });
    assert.deepEqual(
      [patroni, patroniglue],
      [
        ['200', '503'],
        ['200', '503'],
      ],
    );
    assert.ok(longestDifferenceMs > 10 * EVERY_MS, String(longestDifferenceMs));
  });

  it('sees what lasts to the end', async () => {
    const { longestDifferenceMs } = await watchWhile(async (theirs, ours) => {
      refuse(theirs);
      await asked(20, theirs, ours);
    });
    assert.ok(longestDifferenceMs > 10 * EVERY_MS, String(longestDifferenceMs));
  });

  it('finds nothing where both say the same, or one says nothing', async () => {
    const alike = await watchWhile((theirs, ours) => asked(10, theirs, ours));
    assert.equal(alike.longestDifferenceMs, 0);
    const speechless = await watchWhile(async (theirs, ours) => {
      theirs.behave(ending(''));
      refuse(ours);
      await asked(10, theirs, ours);
      refuse(theirs);
    });
    assert.equal(speechless.longestDifferenceMs, 0);
  });
});

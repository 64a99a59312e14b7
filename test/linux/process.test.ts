import assert from 'node:assert/strict';
import { open } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { openFilesLimitIn, processWith, readProcess, statIn } from '../../src/linux/process.js';

describe('/proc/PID/stat', () => {
  const rest =
    '1 4711 4711 0 -1 4194560 5000 0 3 0 250 50 0 0 20 0 7 0 123456 500000000 9000 18446744073709551615 1 1 0';

  it('tells state, threads, CPU time and start, whatever the name of the program', () => {
    const expected = { state: 'T', threads: 7, cpuMs: 3000, startedAt: 123_456 };
    for (const name of ['patroni', 'a) S 1 (b', '(', ')) (', 'with\nlines']) {
      assert.deepEqual(statIn(`4711 (${name}) T ${rest}\n`), expected, name);
    }
  });

  it('may have any other text', () => {
    for (const text of ['', '4711 (patroni)', '4711 (patroni) T 1', `4711 (patroni) 77 ${rest}`]) {
      assert.equal(statIn(text), undefined, text);
    }
  });
});

describe('/proc/PID/limits', () => {
  it('tells the soft limit of open files', () => {
    const line = (soft: string): string =>
      `Max processes   10  20  processes\nMax open files            ${soft}   4096    files \n`;
    assert.equal(openFilesLimitIn(line('1024')), 1024);
    assert.equal(openFilesLimitIn(line('unlimited')), Infinity);
    assert.equal(openFilesLimitIn('Max processes   10  20  processes\n'), undefined);
  });
});

describe('a process', () => {
  it('that is this one can be read', async () => {
    const seen = await readProcess(process.pid);
    assert.ok((seen?.threads ?? 0) > 1 && (seen?.cpuMs ?? 0) > 0);
  });

  it('has all its open files counted, however many they are', async () => {
    const before = (await readProcess(process.pid))?.openFiles ?? 0;
    const more = await Promise.all(Array.from({ length: 1000 }, () => open('/dev/null')));
    const seen = await readProcess(process.pid);
    await Promise.all(more.map((file) => file.close()));
    assert.ok(
      before > 3 && Math.abs((seen?.openFiles ?? 0) - before - 1000) < 10,
      `${before}, ${seen?.openFiles ?? '-'}`,
    );
  });

  it('that does not exist has no facts', async () => {
    assert.equal(await readProcess(4_194_305), undefined); // over the most that Linux allows
  });

  it('is not found by a socket that nobody has, and not looked for after the signal', async () => {
    assert.equal(await processWith('none', AbortSignal.timeout(10_000)), undefined);
    assert.equal(await processWith('none', AbortSignal.abort()), undefined);
  });
});

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseOptions } from '../../demo/options.js';
import { readPolls } from '../../demo/polls.js';
import { type Recording, lookAt } from '../../demo/recording.js';
import type { Check, Outcome } from '../../demo/sampler.js';
import { scenes, storyMs } from '../../demo/story.js';
import { createStyle, isUtf8 } from '../../demo/style.js';
import { judge } from '../../demo/verdict.js';
import { frame, frameColumns, frameRows, plainLine } from '../../demo/view.js';

const START = 1000;
const [FREEZE, THAW] = [START + 10_000, START + 20_000]; // of the long one
const [API_FREEZE, API_THAW] = [START + 27_000, START + 47_000];

const status = (code: number): Outcome => ({ kind: 'status', status: code });
const hung: Outcome = { kind: 'hung' };

/** A check every 200 ms during the whole story, of which `outcome` says what came of the one that began at `atMs`. */
function checks(outcome: (atMs: number) => Outcome): readonly Check[] {
  return Array.from({ length: storyMs / 200 }, (_, index) => {
    const startedAtMs = START + index * 200;
    const value = outcome(startedAtMs);
    return { startedAtMs, end: { atMs: startedAtMs + (value.kind === 'hung' ? 1000 : 2), value } };
  });
}

let at = START;
const played = scenes.map((scene) => {
  const startedAtMs = at;
  at += scene.forMs;
  return { ...scene, startedAtMs };
});
const sceneAt = (atMs: number): string | undefined => played.findLast(({ startedAtMs }) => startedAtMs <= atMs)?.name;
const isFrozen = (atMs: number): boolean => sceneAt(atMs) === 'frozen';
/** From `after` the beginning of the long freeze, or of that of the API alone, to half a second after its end. */
const isStale = (atMs: number, afterMs = 3500): boolean =>
  (atMs > FREEZE + afterMs && atMs < THAW + 500) || (atMs > API_FREEZE + afterMs && atMs < API_THAW + 500);
const server = (isDown: (atMs: number) => boolean): Recording['server'] =>
  checks(() => hung).map(({ startedAtMs }) => ({
    startedAtMs,
    end: { atMs: startedAtMs + 1, value: isDown(startedAtMs) ? 'DOWN' : 'UP' },
  }));

/** All as promised: the last good poll half a second before each freeze, an answer half a second after the thaw. */
const polls = [FREEZE, API_FREEZE].map((atMs) => ({ sentAtMs: atMs - 500, answeredAtMs: atMs - 490 }));
const good: Recording = {
  startedAtMs: START,
  played,
  direct: checks((atMs) => (sceneAt(atMs) === 'healthy' ? status(200) : hung)),
  glue: checks((atMs) => status(isStale(atMs) ? 503 : 200)),
  witnessed: checks((atMs) => status(atMs > FREEZE + 7500 && atMs < THAW + 500 ? 503 : 200)),
  server: server((atMs) => isStale(atMs, 5000)),
  witnessedServer: server((atMs) => atMs > FREEZE + 9000 && atMs < THAW + 1500),
};

describe('what the demo claims', () => {
  const failing = (recording: Recording): readonly string[] =>
    judge(recording, polls, 'node1')
      .filter(({ holds }) => !holds)
      .map(({ text }) => text.replace(/(?::|, (?!in)).*/, ''));

  it('holds when it was so', () => {
    assert.deepEqual(failing(good), []);
    const without = { ...good, server: undefined, witnessedServer: undefined };
    assert.deepEqual(failing(without), []);
    assert.equal(judge(without, polls, 'node1').length, 8);
  });

  /** At the patroniglue with the witness: 200 in the long freeze until then. */
  const given = (untilMs: number): readonly Check[] =>
    checks((atMs) => status(atMs > untilMs && atMs < THAW + 500 ? 503 : 200));
  /** As promised, but for one check. */
  const lost = (lostMs: number): readonly Check[] =>
    good.witnessed.map((one) =>
      one.startedAtMs === lostMs ? { ...one, end: { atMs: lostMs + 2, value: status(503) } } : one,
    );
  /** At the patroniglue without the witness: as promised until then, and later always 200. */
  const upTo = (untilMs: number): readonly Check[] =>
    checks((atMs) => status(atMs < untilMs && isStale(atMs) ? 503 : 200));

  const broken: readonly (readonly [string, Partial<Recording>, string])[] = [
    ['Patroni answered although frozen', { direct: checks(() => status(200)) }, 'Patroni'],
    [
      'patroniglue left one check without a reply',
      { glue: good.glue.map((check, index) => (index === 3 ? { ...check, end: { atMs: 9e3, value: hung } } : check)) },
      'patroniglue',
    ],
    [
      'the short freeze was noticed',
      { glue: checks((atMs) => (isFrozen(atMs) && atMs < FREEZE ? status(503) : status(200))) },
      'frozen for 1.8 s',
    ],
    [
      'a 200 was given after the ttl',
      { glue: checks((atMs) => status(isStale(atMs, 3800) ? 503 : 200)) },
      'frozen for 10.0 s',
    ],
    ['patroniglue never gave 503', { glue: checks(() => status(200)) }, 'frozen for 10.0 s'],
    [
      'it took too long to come back',
      { glue: checks((a) => status(a > FREEZE + 3400 && a < THAW + 3e3 ? 503 : 200)) },
      'thawed',
    ],
    ['HAProxy never took the server down', { server: server(() => false) }, 'HAProxy'],
    ['HAProxy left it down', { server: server((atMs) => atMs > FREEZE + 5000) }, 'HAProxy'],
    ['HAProxy took it down too soon', { server: server((atMs) => isFrozen(atMs)) }, 'HAProxy'],
    ['the witness kept the 200 of a whole freeze too long', { witnessed: given(FREEZE + 8200) }, 'with the witness'],
    ['the witness never gave 503 in a whole freeze', { witnessed: given(THAW) }, 'with the witness'],
    ['the witness lost one check', { witnessed: lost(API_FREEZE + 9000) }, 'in that freeze'],
    ['the 503 of the witness went on after the API had thawed', { witnessed: lost(API_THAW + 600) }, 'in that freeze'],
    ['patroniglue without the witness never gave 503', { glue: upTo(API_FREEZE) }, 'only the API frozen'],
    [
      'HAProxy never took the server down while the API was frozen',
      { server: server((atMs) => atMs < API_FREEZE && isStale(atMs, 5000)) },
      'HAProxy, in that freeze',
    ],
    [
      'HAProxy took the server of the witness down while the API was frozen',
      { witnessedServer: server((atMs) => isStale(atMs, 9000)) },
      'HAProxy, in that freeze',
    ],
  ];
  for (const [title, change, claim] of broken) {
    it(`does not hold when ${title}`, () => {
      assert.ok(failing({ ...good, ...change }).includes(claim), failing({ ...good, ...change }).join('; '));
    });
  }

  it('counts the age from when the poll was sent, as the log has it', () => {
    const line = {
      event: 'poll',
      route: '/primary',
      outcome: 'answered',
      tookMs: 20.5,
      timestamp: '1970-01-01T00:00:02.100Z',
    };
    const other = [
      { ...line, route: '/replica' },
      { ...line, outcome: 'failed' },
      { ...line, event: 'request' },
    ];
    const log = ['"cut": "off"}', ...[line, ...other].map((entry) => JSON.stringify(entry)), '{"half'].join('\n');
    assert.deepEqual(readPolls(log, 1000), [{ sentAtMs: 1079.5, answeredAtMs: 1100 }]);
  });
});

describe('what the demo shows', () => {
  const style = createStyle(false, true);

  it('fits on a terminal of 80 columns and 24 rows, whatever happens', () => {
    for (const columns of [frameColumns - 1, 79, 120]) {
      for (let nowMs = START; nowMs < START + storyMs + 2000; nowMs += 130) {
        const seen = {
          ...good,
          played: played.filter(({ startedAtMs }) => startedAtMs <= nowMs),
          direct: good.direct.filter(({ startedAtMs }) => startedAtMs <= nowMs),
          witnessed: good.witnessed.filter(({ startedAtMs }) => startedAtMs <= nowMs),
        };
        const lines = frame(seen, nowMs, { columns, style, what: 'Patroni 3.0.2 with PostgreSQL 15', node: 'node1' });
        assert.equal(lines.length, frameRows);
        for (const line of lines) assert.ok(line.length <= columns, `${line.length} > ${columns}: ${line}`);
      }
    }
  });

  it('has letters for locales without UTF-8, and colours only where they are wanted', () => {
    const options = { columns: 79, what: 'scripted Patroni', node: 'node1' };
    const text = (colours: boolean): string =>
      frame(good, START + storyMs, { ...options, style: createStyle(colours, false) }).join('');
    assert.match(text(false), /^[ -~]*$/);
    assert.ok(text(true).includes('\u001b[31mxxx'));
    assert.deepEqual(
      [{ LANG: 'de_DE.UTF-8' }, { LANG: 'en_GB.utf8', LC_ALL: '' }, { LANG: 'C.UTF-8', LC_ALL: 'C' }, {}].map(isUtf8),
      [true, true, false, false],
    );
  });

  it('says how long a check has waited, and what came of the last one while checks hang', () => {
    const over: Check = { startedAtMs: 0, end: { atMs: 5, value: status(200) } };
    const waiting: Check = { startedAtMs: 200, end: undefined };
    assert.deepEqual(lookAt([over, waiting], 300), { kind: 'ended', outcome: status(200), tookMs: 5 });
    assert.deepEqual(lookAt([over, waiting], 900), { kind: 'waiting', forMs: 700 });
    const gone: Check = { startedAtMs: 100, end: { atMs: 1100, value: hung } };
    assert.deepEqual(lookAt([over, gone, waiting], 1150), { kind: 'ended', outcome: hung, tookMs: 1000 });
  });

  it('is a line where nothing can be redrawn', () => {
    const before = <T extends { startedAtMs: number }>(samples: readonly T[]): readonly T[] =>
      samples.filter(({ startedAtMs }) => startedAtMs < FREEZE + 4900);
    const { direct, glue, witnessed } = good;
    const seen = {
      ...good,
      played: before(played),
      ...{ direct: before(direct), glue: before(glue), witnessed: before(witnessed) },
    };
    assert.equal(
      plainLine(seen, FREEZE + 5000)
        .replace(/ +/g, ' ')
        .trim(),
      '15.0 s frozen for 5.0 s Patroni: no reply in 1.0 s patroniglue: 503 in 2 ms with the witness: 200 in 2 ms ' +
        'HAProxy: UP, with the witness UP',
    );
  });
});

describe("the demo's command line", () => {
  const mainFile = fileURLToPath(new URL('../../demo/main.js', import.meta.url));
  const run = (arg: string): ReturnType<typeof spawnSync> =>
    spawnSync(process.execPath, [mainFile, arg], { encoding: 'utf8' });

  it('takes --yes and --scripted', () => {
    assert.deepEqual(parseOptions([]), { kind: 'run', yes: false, scripted: false });
    assert.deepEqual(parseOptions(['--scripted', '--yes']), { kind: 'run', yes: true, scripted: true });
  });

  it('prints its usage', () => {
    const { status: code, stdout } = run('--help');
    assert.equal(code, 0);
    assert.match(String(stdout), /^Usage: npm run demo -- /);
  });

  it('refuses what it does not know in one line', () => {
    const { status: code, stderr, stdout } = run('--fast');
    assert.deepEqual([code, stdout, stderr], [2, '', 'demo: unknown argument "--fast" (try --help)\n']);
  });
});

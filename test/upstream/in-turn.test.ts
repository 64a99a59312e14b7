import { describe, it } from 'node:test';
import { map } from 'rxjs';
import { inTurn } from '../../src/upstream/in-turn.js';
import { runMarbles } from '../support/time/marbles.js';

interface Case {
  readonly name: string;
  readonly sources: readonly string[];
  /** When each source is subscribed; absent: never. */
  readonly asked: readonly (string | undefined)[];
  /** `v` and `f` with the index of the source that ended so. */
  readonly ends: string;
}

const CASES: readonly Case[] = [
  {
    name: 'asks nobody else if the first one answers in time',
    sources: ['299ms (v|)', '(v|)'],
    asked: ['^ 298ms !'],
    ends: '299ms (a|)',
  },
  {
    name: 'asks the next one when the first one has not answered for that time, and gives up those that lose',
    sources: ['--', '10ms (v|)'],
    asked: ['^ 309ms !', '300ms ^ 9ms !'],
    ends: '310ms (b|)',
  },
  {
    name: 'takes a late answer of the first one, too',
    sources: ['400ms (v|)', '--'],
    asked: ['^ 399ms !', '300ms ^ 99ms !'],
    ends: '400ms (a|)',
  },
  {
    name: 'asks the next one at once when one has failed, and then the next after the same time',
    sources: ['50ms #', '--', '(v|)'],
    asked: ['^ 49ms !', '50ms ^ 299ms !', '350ms (^!)'],
    ends: '50ms x 299ms (c|)',
  },
  {
    name: 'asks each one once, though it fails when the next one has begun',
    sources: ['400ms #', '400ms (v|)'],
    asked: ['^ 399ms !', '300ms ^ 399ms !'],
    ends: '400ms x 299ms (b|)',
  },
  {
    name: 'ends with the last failure if all fail',
    sources: ['#', '20ms #', '10ms #'],
    asked: ['(^!)', '^ 19ms !', '20ms ^ 9ms !'],
    ends: 'x 19ms y 9ms (z|)',
  },
  { name: 'ends at once if the only one fails', sources: ['20ms #'], asked: ['^ 19ms !'], ends: '20ms (x|)' },
  { name: 'waits for ever if nobody answers', sources: ['-', '-'], asked: ['^', '300ms ^'], ends: '-' },
];

const NAMES: Readonly<Record<string, string>> = { v0: 'a', v1: 'b', v2: 'c', f0: 'x', f1: 'y', f2: 'z' };

describe('inTurn', () => {
  for (const { name, sources, asked, ends } of CASES) {
    it(name, () => {
      runMarbles(({ cold, expectObservable, expectSubscriptions }, scheduler) => {
        const colds = sources.map((marbles) => cold(marbles));
        const told$ = inTurn(colds, 300, scheduler).pipe(
          map(({ kind, index }) => NAMES[`${kind.charAt(0)}${index}`] ?? '?'),
        );
        expectObservable(told$).toBe(ends);
        for (const [index, source] of colds.entries()) {
          expectSubscriptions(source.subscriptions).toBe(asked[index] ?? []);
        }
      });
    });
  }

  it('leaves nothing behind when it is unsubscribed', () => {
    runMarbles(({ cold, expectObservable, expectSubscriptions }, scheduler) => {
      const colds = [cold('-'), cold('-'), cold('-')];
      expectObservable(inTurn(colds, 300, scheduler), '^ 449ms !').toBe('-');
      expectSubscriptions(colds[0]?.subscriptions ?? []).toBe('^ 449ms !');
      expectSubscriptions(colds[1]?.subscriptions ?? []).toBe('300ms ^ 149ms !');
      expectSubscriptions(colds[2]?.subscriptions ?? []).toBe([]);
    });
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { firstValueFrom } from 'rxjs';
import { type Address, type ResolveAll, addressesOf, limitLookups } from '../../src/upstream/addresses.js';

const FOUND: Address[] = [{ address: '10.0.0.1', family: 4 }];

/** A name server whose answers the test gives one by one. */
function heldResolve() {
  const asked: string[] = [];
  const answers = new Map<string, (error?: NodeJS.ErrnoException) => void>();
  const resolve: ResolveAll = (hostname, callback) => {
    asked.push(hostname);
    answers.set(hostname, (error) => {
      callback(error ?? null, error ? [] : FOUND);
    });
  };
  return { asked, resolve, answer: (hostname: string, error?: Error) => answers.get(hostname)?.(error) };
}

describe('addressesOf', () => {
  it('gives all addresses of a name each time, and keeps to none', async () => {
    const found: Address[] = [...FOUND, { address: '10.0.0.2', family: 4 }];
    const address$ = addressesOf('etcd.test', (_hostname, callback) => {
      callback(null, found);
    });
    assert.deepEqual(await firstValueFrom(address$), found);
    assert.deepEqual(await firstValueFrom(address$), found);
  });

  it('looks up neither an address nor localhost', async () => {
    const resolve: ResolveAll = () => assert.fail('looked up');
    assert.deepEqual(await firstValueFrom(addressesOf('::1', resolve)), [{ address: '::1', family: 6 }]);
    assert.equal((await firstValueFrom(addressesOf('LOCALHOST', resolve))).length, 2);
  });
});

describe('limitLookups', () => {
  it('begins a further look-up when one before has ended, in the order in which they came', () => {
    const { asked, resolve, answer } = heldResolve();
    const ended: string[] = [];
    const limited = limitLookups(2, resolve);
    for (const hostname of ['a', 'b', 'c', 'd']) limited(hostname, () => ended.push(hostname));
    assert.deepEqual(asked, ['a', 'b']);
    answer('b');
    assert.deepEqual(asked, ['a', 'b', 'c']);
    answer('c', new Error('no such name'));
    answer('d');
    assert.deepEqual(
      [asked, ended],
      [
        ['a', 'b', 'c', 'd'],
        ['b', 'c', 'd'],
      ],
    );
    limited('e', () => ended.push('e'));
    limited('f', () => ended.push('f'));
    assert.deepEqual(asked, ['a', 'b', 'c', 'd', 'e'], 'a still has no answer');
  });

  it('passes on what was found', () => {
    const limited = limitLookups(1, (_hostname, callback) => {
      callback(null, FOUND);
    });
    limited('a', (error, addresses) => {
      assert.deepEqual([error, addresses], [null, FOUND]);
    });
  });
});

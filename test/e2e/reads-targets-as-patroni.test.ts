import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { canonicalRoute } from '../../src/patroni/routes.js';
import { skipReason } from '../support/processes/programs.js';
import { originForm } from '../../src/patroni/request-target.js';
import { spelledTargets } from '../support/clients/targets.js';

const script = fileURLToPath(new URL('../../../test/support/cluster/patroni_answers.py', import.meta.url));
const source = process.env['PATRONI_SOURCE'];

/** In which state of a node Patroni's own code answers the two otherwise; `null` where it never does. */
function differences(pairs: readonly (readonly [string, string])[]): (string | null)[] {
  const output = execFileSync('/usr/bin/python3', [script], {
    input: JSON.stringify(pairs),
    encoding: 'utf8',
    env: { PATH: '/usr/bin:/bin', PYTHONDONTWRITEBYTECODE: '1', ...(source !== undefined && { PYTHONPATH: source }) },
    timeout: 60_000,
  });
  return JSON.parse(output) as (string | null)[];
}

describe("a target and its canonical route, to Patroni's own code", { skip: await skipReason() }, () => {
  it('is told apart where it differs: the comparison can fail', () => {
    const apart = [
      ['/replica?lag=10MB', '/replica?lag=10485761'],
      ['/replica?tag_a=1', '/replica'],
      ['/replica??lag=1', '/replica?lag=1'],
      ['/replica?lag=1#x', '/replica?lag=1%23x'],
      ['/sync/', '/sync'],
      ['http://h//sync', '/sync'],
      ['http://h', '/'],
      ['//h/sync', '/sync'],
      ['/health?tag_a=1', '/health'],
      ['/replica?lag=0xFF', '/replica'],
      ['/replica?lag=1e999', '/replica'],
    ] as const;
    for (const [index, difference] of differences(apart).entries()) assert.ok(difference, String(apart[index]));
  });

  it('is one question, however it is spelled', () => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    const pairs = fc.sample(spelledTargets, { numRuns: 5000, seed }).flatMap((target) => {
      const route = canonicalRoute(originForm(target));
      return route === undefined ? [] : [[target, route] as const];
    });
    assert.ok(pairs.length > 1000, String(pairs.length));
    const found = differences(pairs).flatMap((difference, index) =>
      difference === null ? [] : [`${String(pairs[index])}: ${difference}`],
    );
    assert.deepEqual(found, [], `seed ${seed}`);
  });
});

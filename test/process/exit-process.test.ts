import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { exitingProgram } from '../../src/exit-process.js';

describe('the program by which PID 1 replaces itself at its end', () => {
  const node = process.execPath;

  for (const [what, isSingle] of [
    ['Node that runs a script', false],
    ['a single executable application', true],
  ] as const) {
    it(`ends with the exit code: of ${what}`, () => {
      for (const exitCode of [0, 1, 2]) {
        const [program = '', ...args] = exitingProgram(exitCode, node, isSingle);
        assert.equal(spawnSync(program, args, { env: {} }).status, exitCode);
      }
    });
  }

  it('is not the single executable application itself, which would start again', () => {
    assert.equal(exitingProgram(0, '/usr/bin/patroniglue', true)[0], '/bin/sh');
  });
});

// What the tests use of `node:test`, as mocha has it. Mocha runs them again and again in one process, one mutant after
// another, and Stryker knows which tests each one needs: minutes, in place of a process for each file and mutant.
import * as mocha from 'mocha';

const { after, afterEach, before, beforeEach } = mocha;

/** Without options, which the tests that are run here do not have. */
const describe = (name, body) => mocha.describe(name, body);

/** Mocha would wait for a callback of a test that takes a parameter. */
const it = (name, body) => mocha.it(name, () => body());

export { after, afterEach, before, beforeEach, describe, it };

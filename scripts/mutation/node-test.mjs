// The functions of `node:test` that the tests use, made from mocha's. Mocha can run the tests many times in one process, and
// Stryker runs only the tests that a mutant needs. This takes minutes; one process per file and mutant would take far longer.
import * as mocha from 'mocha';

const { after, afterEach, before, beforeEach } = mocha;

/** Takes no options: the tests that Stryker runs have none. */
const describe = (name, body) => mocha.describe(name, body);

/** Hides the parameters of a test: if a test has one, mocha waits until the test calls it. */
const it = (name, body) => mocha.it(name, () => body());

export { after, afterEach, before, beforeEach, describe, it };

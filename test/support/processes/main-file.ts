import { fileURLToPath } from 'node:url';

/** The program as it is installed, and as it is compiled, one file for each module. They must not differ in what they do. */
export const programs = {
  bundle: fileURLToPath(new URL('../../../bundle/patroniglue.cjs', import.meta.url)),
  modules: fileURLToPath(new URL('../../../src/main.js', import.meta.url)),
} as const;

const chosen = process.env['TEST_PROGRAM'] ?? 'bundle';
if (chosen !== 'bundle' && chosen !== 'modules') throw new Error(`TEST_PROGRAM is ${chosen}: bundle or modules`);

/** The one that tests and benches start: the bundle, or what the environment variable `TEST_PROGRAM` names. */
export const mainFile = programs[chosen];

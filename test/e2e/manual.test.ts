import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { run } from '../support/processes/processes.js';
import { findProgram, skipReason } from '../support/processes/programs.js';

const page = fileURLToPath(new URL('../../patroniglue.1', import.meta.url));

describe('the manual page', { skip: await skipReason(['mandoc']) }, () => {
  it('is one in which mandoc finds no error (that it has no date is a warning)', async () => {
    await run('mandoc', findProgram('mandoc'), ['-T', 'lint', '-W', 'error', page], { env: {} });
  });
});

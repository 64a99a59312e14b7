import { after, before, describe, it } from 'node:test';
import { configurationManual } from '../../scripts/packages/manual.js';
import { manualPage } from '../../src/cli/usage.js';
import { run } from '../support/processes/processes.js';
import { findProgram, skipReason } from '../support/processes/programs.js';
import { type Workspace, createWorkspace } from '../support/processes/workspace.js';

describe('the manual pages', { skip: await skipReason(['mandoc']) }, () => {
  let workspace: Workspace;
  before(async () => {
    workspace = await createWorkspace();
  });
  after(() => workspace.close());

  for (const [name, text] of [
    ['patroniglue.8', manualPage('1.1.0')],
    ['patroniglue.yml.5', configurationManual('1.1.0')],
  ] as const) {
    it(`${name}: mandoc finds no error (that it has no date is a warning)`, async () => {
      const page = await workspace.write(name, text);
      await run('mandoc', findProgram('mandoc'), ['-T', 'lint', '-W', 'error', page], { env: {} });
    });
  }
});

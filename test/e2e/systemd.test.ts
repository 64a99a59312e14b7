import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { run } from '../support/processes.js';
import { skipReason } from '../support/programs.js';

const unit = fileURLToPath(new URL('../../../examples/patroniglue.service', import.meta.url));

describe('examples/patroniglue.service', { skip: await skipReason(['systemd-analyze']) }, () => {
  it('is a unit that systemd takes', async () => {
    await run('systemd-analyze verify', 'systemd-analyze', ['verify', '--man=no', unit], {
      env: { PATH: process.env['PATH'] ?? '' },
    });
  });

  it('is hardened: an exposure of 2.0 at most, out of 10', async () => {
    const args = ['security', '--offline=true', '--no-pager', '--threshold=20', unit];
    await run('systemd-analyze security', 'systemd-analyze', args, { env: { PATH: process.env['PATH'] ?? '' } });
  });
});

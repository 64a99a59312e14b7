import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { run } from '../support/processes/processes.js';
import { skipReason } from '../support/processes/programs.js';

const unitFile = (name: string): string => fileURLToPath(new URL(`../../../examples/${name}`, import.meta.url));
const unit = unitFile('patroniglue.service');

describe('examples/patroniglue.service', { skip: await skipReason(['systemd-analyze']) }, () => {
  for (const file of [unit, unitFile('patroniglue@.service')]) {
    it(`is a unit that systemd takes: ${basename(file)}`, async () => {
      await run('systemd-analyze verify', 'systemd-analyze', ['verify', '--man=no', file], {
        env: { PATH: process.env['PATH'] ?? '' },
      });
    });
  }

  it('is never given up, is started again with pauses, and fails at its start by a bad configuration', () => {
    const text = readFileSync(unit, 'utf8');
    const [head = '', service = ''] = text.split('[Service]');
    assert.match(head, /^StartLimitIntervalSec=0$/m); // a setting of [Unit]: systemd takes no notice of it elsewhere
    assert.match(service, /^Restart=always$/m);
    const [, firstMs] = /^RestartSec=(\d+)$/m.exec(service) ?? [];
    const [, lastMs] = /^RestartMaxDelaySec=(\d+)$/m.exec(service) ?? [];
    assert.ok(Number(firstMs) >= 1 && Number(lastMs) <= 10);
    assert.match(service, /^ExecStartPre=.* --check$/m);
    assert.match(service, /^ExecReload=.* --check\nExecReload=\/bin\/sh -c 'kill -HUP \$MAINPID'$/m);
  });

  it('is hardened: an exposure of 2.0 at most, out of 10', async () => {
    const args = ['security', '--offline=true', '--no-pager', '--threshold=20', unit];
    await run('systemd-analyze security', 'systemd-analyze', args, { env: { PATH: process.env['PATH'] ?? '' } });
  });
});

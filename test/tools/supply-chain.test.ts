import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { delimiter } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createWorkspace, type Workspace } from '../support/processes/workspace.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));

interface LockFile {
  readonly packages: Readonly<Record<string, unknown>>;
}

/** What `npm audit --json` says: that of a registry without such a service, and that of one that knows something. */
const REPORTS = {
  noService: '{"message": "404 Not Found", "error": {"summary": "", "detail": ""}}',
  noNetwork: '{"message": "getaddrinfo ENOTFOUND", "error": {"code": "ENOTFOUND", "summary": "no network"}}',
  clean: '{"auditReportVersion": 2, "vulnerabilities": {}}',
  vulnerable: JSON.stringify({
    auditReportVersion: 2,
    vulnerabilities: { 'left-pad': { name: 'left-pad', severity: 'low', range: '<2' } },
  }),
} as const;

describe('CI checks the packages that ship', () => {
  const lockFile = JSON.parse(readFileSync(new URL('package-lock.json', `file://${root}`), 'utf8')) as LockFile;
  let workspace: Workspace;
  before(async () => {
    workspace = await createWorkspace();
  });
  after(() => workspace.close());

  /** Runs it with `planted` among the packages, and in place of npm a program that says `report`. */
  const look = async (planted: object, report: keyof typeof REPORTS): Promise<string> => {
    const packages = { ...lockFile.packages, 'node_modules/planted': { version: '1.0.0', ...planted } };
    const file = await workspace.write('package-lock.json', JSON.stringify({ ...lockFile, packages }));
    const bin = await workspace.mkdir('bin');
    const exitCode = report === 'clean' ? 0 : 1; // npm's own
    await workspace.write('bin/npm', `#!/bin/sh\necho '${REPORTS[report]}'\nexit ${exitCode}\n`);
    await workspace.run('chmod', 'chmod', ['+x', workspace.path('bin/npm')]);
    return workspace.run('the script', process.execPath, [`${root}.ci/supply-chain.mjs`, file], {
      PATH: [bin, '/usr/bin', '/bin'].join(delimiter),
    });
  };

  for (const license of ['MIT', '(MIT OR GPL-3.0-only)', 'BlueOak-1.0.0']) {
    it(`${license} may ship`, async () => {
      assert.match(await look({ license }, 'clean'), /^checked for vulnerabilities: found 0$/m);
    });
  }

  for (const license of ['GPL-3.0-only', 'MIT AND GPL-3.0-only', 'UNLICENSED', undefined]) {
    it(`${license ?? 'no licence'} may not ship`, async () => {
      await assert.rejects(look({ license }, 'clean'), /node_modules\/planted: the licence .* is not known/);
    });
  }

  it('a tool may have any licence', async () => {
    await look({ license: 'GPL-3.0-only', dev: true }, 'clean');
  });

  it('a known vulnerability ends it with 1', async () => {
    await assert.rejects(look({ license: 'MIT' }, 'vulnerable'), /ended with 1: .*left-pad <2: a vulnerability, low/s);
  });

  for (const report of ['noService', 'noNetwork'] as const) {
    it(`a registry that cannot be asked (${report}) does not, but it is said`, async () => {
      assert.match(
        await look({ license: 'MIT' }, report),
        /^could not check for vulnerabilities: (404 Not Found|getaddrinfo)/m,
      );
    });
  }
});

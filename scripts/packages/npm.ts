import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { manualPage } from '../../src/cli/usage.js';
import { configurationManual } from './manual.js';
import { commonNpmFiles } from './contents.js';
import { execute, inRoot, inTemporaryDirectory, read, writeTree } from './files.js';
import type { Release } from './types.js';

/** Makes the tarball for `npm install -g`, which needs no registry: the bundle has all packages in it. Returns its name. */
export function makeNpmTarball({ version, dir }: Release): string {
  inTemporaryDirectory((home) => {
    const tree = join(home, 'tree');
    writeTree(tree, [
      { path: 'package.json', content: `${JSON.stringify(manifest(version), undefined, 2)}\n` },
      { path: 'patroniglue.cjs', content: readFileSync(inRoot('build/bundle/patroniglue.cjs')), mode: 0o755 },
      { path: 'ecosystem.config.cjs', content: read('ecosystem.config.cjs').replace('build/bundle/', '') },
      { path: 'man/patroniglue.8', content: manualPage(version) },
      { path: 'man/patroniglue.yml.5', content: configurationManual(version) },
      { path: 'THIRD-PARTY-LICENSES.txt', content: read('build/bundle/THIRD-PARTY-LICENSES.txt') },
      ...commonNpmFiles(),
    ]);
    execute('npm', ['pack', '--silent', '--ignore-scripts', `--pack-destination=${dir}`, tree], {
      env: { HOME: home },
    });
  });
  return `patroniglue-${version}.tgz`;
}

/** What package.json says of the program, without what only its development needs. */
function manifest(version: string): object {
  const { name, description, keywords, license, repository, bugs, engines } = JSON.parse(
    read('package.json'),
  ) as Record<string, unknown>;
  const run = { bin: { patroniglue: 'patroniglue.cjs' }, man: ['man/patroniglue.8', 'man/patroniglue.yml.5'] };
  return { ...{ name, version, description, keywords, license, repository, bugs }, type: 'commonjs', ...run, engines };
}

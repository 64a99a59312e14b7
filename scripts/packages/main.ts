// Makes the packages in dist/: .deb, .rpm, tarballs, npm's tarball, SBOM and checksums. docs/install.md says what is in them.
// node build/scripts/packages/main.js [--dir DIR] [--version VERSION] [--kinds deb,rpm,tar,npm] [--flavours all,amd64,arm64]
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { version as ownVersion } from '../../src/version.js';
import { contents } from './contents.js';
import { makeDeb } from './deb.js';
import { execute, inRoot } from './files.js';
import { makeNpmTarball } from './npm.js';
import { needPrograms } from './programs.js';
import { makeRpm } from './rpm.js';
import { makeSbom } from './sbom.js';
import { makeTarball } from './tarball.js';
import type { Flavour, Release } from './types.js';

const FLAVOURS: readonly Flavour[] = ['all', 'amd64', 'arm64'];

const { values } = parseArgs({
  options: {
    dir: { type: 'string', default: inRoot('dist') },
    version: { type: 'string', default: ownVersion },
    kinds: { type: 'string', default: 'deb,rpm,tar,npm' },
    flavours: { type: 'string', default: FLAVOURS.join(',') },
  },
});
const kinds = values.kinds.split(',');
const flavours = FLAVOURS.filter((flavour) => values.flavours.split(',').includes(flavour));
const makers = { deb: makeDeb, rpm: makeRpm, tar: makeTarball };

needPrograms(['dpkg-deb', 'tar', 'gzip', 'npm', ...(kinds.includes('rpm') ? (['rpmbuild'] as const) : [])]);
const release: Release = { version: values.version, epoch: epoch(), dir: resolve(values.dir) };
rmSync(release.dir, { recursive: true, force: true });
mkdirSync(release.dir, { recursive: true });
const made = flavours.flatMap((flavour) => {
  const entries = contents(flavour, release.version);
  return Object.entries(makers)
    .filter(([kind]) => kinds.includes(kind))
    .map(([, make]) => make(flavour, entries, release));
});
if (kinds.includes('npm')) made.push(makeNpmTarball(release));
made.push(makeSbom(release));
const sums = made.sort().map(
  (name) =>
    `${createHash('sha256')
      .update(readFileSync(join(release.dir, name)))
      .digest('hex')}  ${name}\n`,
);
writeFileSync(join(release.dir, 'SHA256SUMS'), sums.join(''));
process.stdout.write(sums.join(''));

/** The time of the last commit, in seconds, unless SOURCE_DATE_EPOCH says another: https://reproducible-builds.org/specs/source-date-epoch/ */
function epoch(): number {
  const given = process.env['SOURCE_DATE_EPOCH'];
  return Number(given ?? execute('git', ['log', '-1', '--format=%ct']).trim());
}

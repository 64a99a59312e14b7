// Makes the packages in dist/: .deb, .rpm, tarballs, npm's tarball, SBOM and checksums. docs/install.md says what is in them.
// node build/scripts/packages/main.js [--dir DIR] [--kinds deb,rpm,tar,npm] [--flavours all,amd64,arm64]
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { version } from '../../src/version.js';
import { contents } from './contents.js';
import { makeDeb } from './deb.js';
import { executeAsBuilder, inRoot } from './files.js';
import { makeNpmTarball } from './npm.js';
import { needPrograms } from './programs.js';
import { makeRpm } from './rpm.js';
import { makeSbom } from './sbom.js';
import { makeTarball } from './tarball.js';
import type { Flavour, Release } from './types.js';

const FLAVOURS = ['all', 'amd64', 'arm64'] as const satisfies readonly Flavour[];

/** What makes a package of each kind; npm's has only one flavour. */
const makers = { deb: makeDeb, rpm: makeRpm, tar: makeTarball };
const KINDS = ['deb', 'rpm', 'tar', 'npm'] as const;

/** What an earlier run has made, and its signature. */
const MADE = /^(patroniglue[-_]\d.*\.(deb|rpm|tgz|tar\.gz|cdx\.json)|SHA256SUMS(\.asc)?)$/;

try {
  makePackages();
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}

function makePackages(): void {
  const { values } = parseArgs({
    options: {
      dir: { type: 'string', default: inRoot('dist') },
      kinds: { type: 'string', default: KINDS.join(',') },
      flavours: { type: 'string', default: FLAVOURS.join(',') },
    },
  });
  const kinds = chosen('--kinds', values.kinds, KINDS);
  const flavours = chosen('--flavours', values.flavours, FLAVOURS);
  process.umask(0o022); // it decides on the modes of the directories in the packages
  needPrograms(['dpkg-deb', 'tar', 'gzip', 'npm', ...(kinds.includes('rpm') ? (['rpmbuild'] as const) : [])]);
  const release: Release = { version, epoch: epoch(), dir: resolve(values.dir) };
  mkdirSync(release.dir, { recursive: true });
  for (const name of readdirSync(release.dir)) if (MADE.test(name)) rmSync(join(release.dir, name));

  const made = flavours.flatMap((flavour) => {
    const entries = contents(flavour, version);
    return kinds.flatMap((kind) => (kind === 'npm' ? [] : [told(makers[kind](flavour, entries, release))]));
  });
  if (kinds.includes('npm')) made.push(told(makeNpmTarball(release)));
  made.push(told(makeSbom(release)));
  const sums = made.sort().map((name) => `${sha256(join(release.dir, name))}  ${name}\n`);
  writeFileSync(join(release.dir, 'SHA256SUMS'), sums.join(''));
  process.stdout.write(sums.join(''));
}

/** Says on standard error that a file is made: all of them take two minutes. */
function told(name: string): string {
  process.stderr.write(`made ${name}\n`);
  return name;
}

function sha256(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

/** The parts of an option's value, in the order of `known`. Throws if it names another one. */
function chosen<T extends string>(option: string, value: string, known: readonly T[]): readonly T[] {
  const parts = value.split(',');
  const unknown = parts.find((part) => !known.some((one) => one === part));
  if (unknown !== undefined) throw new Error(`${option}: unknown "${unknown}"; allowed: ${known.join(', ')}`);
  return known.filter((one) => parts.includes(one));
}

/** The time of the last commit, in seconds, unless SOURCE_DATE_EPOCH says another: https://reproducible-builds.org/specs/source-date-epoch/ */
function epoch(): number {
  const given = process.env['SOURCE_DATE_EPOCH'];
  if (given !== undefined && !/^\d+$/.test(given)) {
    throw new Error(`SOURCE_DATE_EPOCH: seconds since 1970, not "${given}"`);
  }
  return Number(given ?? executeAsBuilder('git', ['log', '-1', '--format=%ct']).trim());
}

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROGRAM, ownDirectories } from './contents.js';
import { linkProgram } from './deb.js';
import { execute, inTemporaryDirectory, writeTree } from './files.js';
import type { Entry, Flavour, Release } from './types.js';

/**
 * Makes a tarball of the same files, to unpack at the root of a file system; returns its name. It does not hold directories
 * of the system: tar would give them the modes and times of ours.
 */
export function makeTarball(flavour: Flavour, entries: readonly Entry[], { version, epoch, dir }: Release): string {
  const name = `patroniglue-${version}-linux-${flavour}.tar.gz`;
  inTemporaryDirectory((tree) => {
    writeTree(join(tree, 'files'), entries);
    if (flavour === 'all') linkProgram(join(tree, 'files'));
    const tar = join(tree, 'tar');
    const paths = [...entries.map(({ path }) => path), ...(flavour === 'all' ? [PROGRAM] : [])];
    writeFileSync(join(tree, 'list'), [...ownDirectories(entries), ...paths].sort().join('\n'));
    const owner = ['--owner=0', '--group=0', '--numeric-owner', '--mode=u=rwX,go=rX'];
    const what = ['-C', join(tree, 'files'), '--no-recursion', `--files-from=${join(tree, 'list')}`];
    execute('tar', [`--mtime=@${epoch}`, ...owner, '--format=gnu', '-cf', tar, ...what]);
    execute('gzip', ['-n', '-6', tar]);
    execute('cp', [`${tar}.gz`, join(dir, name)]);
  });
  return name;
}

import { join } from 'node:path';
import { linkProgram } from './deb.js';
import { execute, inTemporaryDirectory, writeTree } from './files.js';
import type { Entry, Flavour, Release } from './types.js';

/** Makes a tarball of the same files, to unpack at the root of a file system; returns its name. */
export function makeTarball(flavour: Flavour, entries: readonly Entry[], { version, epoch, dir }: Release): string {
  const name = `patroniglue-${version}-linux-${flavour}.tar.gz`;
  inTemporaryDirectory((tree) => {
    writeTree(join(tree, 'files'), entries);
    if (flavour === 'all') linkProgram(join(tree, 'files'));
    const tar = join(tree, 'tar');
    const owner = ['--owner=0', '--group=0', '--numeric-owner', '--mode=u=rwX,go=rX'];
    const args = ['--sort=name', `--mtime=@${epoch}`, ...owner, '--format=gnu', '-C', join(tree, 'files'), '-cf', tar];
    execute('tar', [...args, 'etc', 'usr']);
    execute('gzip', ['-n', '-6', tar]);
    execute('cp', [`${tar}.gz`, join(dir, name)]);
  });
  return name;
}

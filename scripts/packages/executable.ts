import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { arch } from 'node:os';
import { join } from 'node:path';
import { execute, inRoot, inTemporaryDirectory } from './files.js';
import { nodePackage } from './node-binary.js';
import type { Flavour } from './types.js';

/** Where Node looks for the program inside itself: https://nodejs.org/api/single-executable-applications.html */
const RESOURCE = 'NODE_SEA_BLOB';
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';

/**
 * Node with the bundle inside, as one file. The blob has neither a snapshot nor compiled code, so that one processor's Node
 * makes it for another's.
 */
export function executable(architecture: Exclude<Flavour, 'all'>): Buffer {
  return inTemporaryDirectory((dir) => {
    const main = 'patroniglue.cjs'; // a relative path, because the blob has it in it
    copyFileSync(inRoot(`build/bundle/${main}`), join(dir, main));
    const config = {
      main,
      output: 'blob',
      disableExperimentalSEAWarning: true,
      useSnapshot: false,
      useCodeCache: false,
    };
    writeFileSync(join(dir, 'sea.json'), JSON.stringify(config));
    const here = nodePackage(arch() === 'arm64' ? 'arm64' : 'amd64');
    execute(join(here, 'bin/node'), ['--experimental-sea-config', 'sea.json'], { cwd: dir });
    const program = join(dir, 'patroniglue');
    copyFileSync(join(nodePackage(architecture), 'bin/node'), program);
    const postject = createRequire(import.meta.url).resolve('postject/dist/cli.js');
    execute(process.execPath, [postject, program, RESOURCE, join(dir, 'blob'), '--sentinel-fuse', FUSE]);
    return readFileSync(program);
  });
}

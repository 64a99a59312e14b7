import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { read } from './files.js';
import { NODE_VERSION } from './node-binary.js';
import type { Release } from './types.js';

interface LockedPackage {
  readonly version?: string;
  readonly license?: string;
  readonly integrity?: string;
}

/**
 * Writes the list of what the packages contain, in the form of CycloneDX 1.6; returns its name. The components are those of
 * the bundle, by its list of licences. A tool that reads node_modules would also name what the bundle leaves out.
 */
export function makeSbom({ version, epoch, dir }: Release): string {
  const name = `patroniglue-${version}.cdx.json`;
  const bundled = Array.from(
    read('build/bundle/THIRD-PARTY-LICENSES.txt').matchAll(/^-{80}\n\n(\S+) (\S+) \((.+)\)$/gm),
    ([, packageName = '', packageVersion = '', licence = '']) => component(packageName, packageVersion, licence),
  );
  if (bundled.length === 0) throw new Error('THIRD-PARTY-LICENSES.txt names no package');
  const main = {
    ...{ type: 'application', name: 'patroniglue', version, 'bom-ref': `pkg:npm/patroniglue@${version}` },
    purl: `pkg:npm/patroniglue@${version}`,
    licenses: [{ license: { id: 'MIT' } }],
  };
  const node = {
    ...{ type: 'platform', name: 'node', version: NODE_VERSION, 'bom-ref': `pkg:generic/node@${NODE_VERSION}` },
    purl: `pkg:generic/node@${NODE_VERSION}`,
    description: 'in the packages for one processor; the others use the Node.js of the system',
    licenses: [{ license: { name: 'Node.js and what it contains: NODE-LICENSE.txt' } }],
  };
  const sbom = {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: `urn:uuid:${uuidOf(JSON.stringify([version, epoch, bundled]))}`,
    version: 1,
    metadata: { timestamp: new Date(epoch * 1000).toISOString(), component: main },
    components: [...bundled, node],
    dependencies: [{ ref: main['bom-ref'], dependsOn: [...bundled, node].map((one) => one['bom-ref']) }],
  };
  writeFileSync(join(dir, name), `${JSON.stringify(sbom, undefined, 2)}\n`);
  return name;
}

function component(name: string, version: string, licence: string) {
  const purl = `pkg:npm/${name.replace('@', '%40')}@${version}`;
  const [, base64] = /^sha512-(.*)$/.exec(lockedPackage(name, version)?.integrity ?? '') ?? [];
  const hashes =
    base64 === undefined ? [] : [{ alg: 'SHA-512', content: Buffer.from(base64, 'base64').toString('hex') }];
  return { type: 'library', name, version, 'bom-ref': purl, purl, licenses: [{ expression: licence }], hashes };
}

function lockedPackage(name: string, version: string): LockedPackage | undefined {
  const { packages } = JSON.parse(read('package-lock.json')) as { packages: Record<string, LockedPackage> };
  const [, found] =
    Object.entries(packages).find(
      ([path, locked]) => path.endsWith(`node_modules/${name}`) && locked.version === version,
    ) ?? [];
  return found;
}

/** A UUID that the same contents give again: version 8 of RFC 9562, section 5.8. */
function uuidOf(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join(
    '-',
  );
}

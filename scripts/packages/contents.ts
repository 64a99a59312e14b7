import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { manualPage } from '../../src/cli/usage.js';
import { exampleFile } from '../generate/example.js';
import { bashCompletion, fishCompletion, zshCompletion } from './completion.js';
import { executable } from './executable.js';
import { inRoot, read } from './files.js';
import { configurationManual } from './manual.js';
import { nodePackage } from './node-binary.js';
import type { Entry, Flavour } from './types.js';

const SCHEMA = 'usr/share/patroniglue/config.schema.json';
export const DOC = 'usr/share/doc/patroniglue';

/** The configuration, which belongs to the administrator as soon as it is installed. */
export const CONFIGURATION = 'etc/patroniglue/config.yml';

/** In the directory of Debian. */
export const ZSH_COMPLETION = 'usr/share/zsh/vendor-completions/_patroniglue';

/** The bundle, and /usr/bin/patroniglue as a link to it, for packages that use the system's Node. */
const BUNDLE = 'usr/lib/patroniglue/patroniglue.cjs';
export const PROGRAM = 'usr/bin/patroniglue';

/** Every file of a package; /usr/bin/patroniglue is missing in `all`, where it is a link to the bundle. */
export function contents(flavour: Flavour, version: string): readonly Entry[] {
  return [...programOf(flavour), ...commonContents(version), ...licencesOf(flavour)];
}

function programOf(flavour: Flavour): readonly Entry[] {
  return flavour === 'all'
    ? [{ path: BUNDLE, content: readFileSync(inRoot('build/bundle/patroniglue.cjs')), mode: 0o755 }]
    : [{ path: PROGRAM, content: executable(flavour), mode: 0o755 }];
}

function licencesOf(flavour: Flavour): readonly Entry[] {
  const ours = [
    { path: `${DOC}/copyright`, content: copyright(flavour) },
    { path: `${DOC}/THIRD-PARTY-LICENSES.txt`, content: read('build/bundle/THIRD-PARTY-LICENSES.txt') },
  ];
  if (flavour === 'all') return ours;
  return [...ours, { path: `${DOC}/NODE-LICENSE.txt`, content: readFileSync(join(nodePackage(flavour), 'LICENSE')) }];
}

function commonContents(version: string): readonly Entry[] {
  const unit = (name: string): Entry => ({
    path: `usr/lib/systemd/system/${name}`,
    content: packagedUnit(read(`examples/${name}`)),
  });
  return [
    { path: CONFIGURATION, content: exampleFile().replace('./config.schema.json', `/${SCHEMA}`) },
    unit('patroniglue.service'),
    unit('patroniglue@.service'),
    { path: SCHEMA, content: read('config.schema.json') },
    { path: 'usr/share/man/man8/patroniglue.8.gz', content: compressed(manualPage(version)) },
    { path: 'usr/share/man/man5/patroniglue.yml.5.gz', content: compressed(configurationManual(version)) },
    { path: 'usr/share/bash-completion/completions/patroniglue', content: bashCompletion() },
    { path: ZSH_COMPLETION, content: zshCompletion() },
    { path: 'usr/share/fish/vendor_completions.d/patroniglue.fish', content: fishCompletion() },
    { path: `${DOC}/README.md`, content: read('README.md') },
    { path: `${DOC}/CHANGELOG.md`, content: read('CHANGELOG.md') },
    { path: `${DOC}/config.yml.example`, content: exampleFile() },
    ...folder('docs', `${DOC}/docs`, /\.md$/),
    ...folder('docs/figures', `${DOC}/docs/figures`, /./),
    ...folder('examples', `${DOC}/examples`, /(?<!\.test\.yml|\.service)$/),
  ];
}

/** The directories that only patroniglue has. All others belong to the system, and packages leave them as they are. */
export function ownDirectories(entries: readonly Entry[]): readonly string[] {
  const all = entries.flatMap(({ path }) => {
    const parts = dirname(path).split('/');
    return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
  });
  return [...new Set(all)].filter((dir) => dir.split('/').includes('patroniglue')).sort();
}

/** The files of the npm package besides the program: what is read, and what is copied from. */
export function commonNpmFiles(): readonly Entry[] {
  const files = ['README.md', 'CHANGELOG.md', 'LICENSE', 'config.schema.json', 'config.yml.example'];
  return [
    ...files.map((path) => ({ path, content: read(path) })),
    ...folder('docs', 'docs', /\.md$/),
    ...folder('docs/figures', 'docs/figures', /./),
    ...folder('examples', 'examples', /(?<!\.test\.yml)$/),
  ];
}

function folder(from: string, to: string, pattern: RegExp): readonly Entry[] {
  return readdirSync(inRoot(from))
    .filter((name) => pattern.test(name))
    .sort()
    .map((name) => ({ path: `${to}/${name}`, content: readFileSync(inRoot(join(from, name))), mode: modeOf(name) }));
}

/** The unit of the examples, for a program in /usr/bin, without the comment on how to install the unit. */
function packagedUnit(unit: string): string {
  return unit.slice(unit.indexOf('[Unit]')).replaceAll('/usr/bin/env patroniglue', `/${PROGRAM}`);
}

function modeOf(name: string): number {
  return name.endsWith('.sh') ? 0o755 : 0o644;
}

/** Compressed without a time, so that the same text gives the same bytes. */
export function compressed(text: string): Buffer {
  return gzipSync(text, { level: 9 });
}

/** Debian's form: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/ */
function copyright(flavour: Flavour): string {
  const licence = read('LICENSE').trim().split('\n').slice(2);
  const [, holder = ''] = /^Copyright \(c\) (.*)$/m.exec(licence.join('\n')) ?? [];
  const text = licence
    .slice(licence.findIndex((line) => line.startsWith('Permission')))
    .map((line) => ` ${line === '' ? '.' : line}`)
    .join('\n');
  const node = flavour === 'all' ? '' : ' NODE-LICENSE.txt has those of Node.js, which the program contains.\n';
  return `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: patroniglue
Comment:
 THIRD-PARTY-LICENSES.txt has the licences of the packages that the program contains.
${node}
Files: *
Copyright: ${holder}
License: MIT

License: MIT
${text}
`;
}

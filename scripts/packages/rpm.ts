import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CONFIGURATION, PROGRAM } from './contents.js';
import { linkProgram } from './deb.js';
import { execute, inTemporaryDirectory, writeTree } from './files.js';
import type { Entry, Flavour, Release } from './types.js';
import { SUMMARY, description } from './words.js';

const ARCHITECTURE: Readonly<Record<Flavour, string>> = { all: 'noarch', amd64: 'x86_64', arm64: 'aarch64' };

const REQUIRES: Readonly<Record<Flavour, string>> = {
  all: 'nodejs >= 20.11',
  amd64: 'glibc >= 2.28, libgcc, libstdc++',
  arm64: 'glibc >= 2.28, libgcc, libstdc++',
};

/** Makes the .rpm with Debian's or any rpmbuild; returns its name. */
export function makeRpm(flavour: Flavour, entries: readonly Entry[], { version, epoch, dir }: Release): string {
  const architecture = ARCHITECTURE[flavour];
  const name = `patroniglue-${version}-1.${architecture}.rpm`;
  inTemporaryDirectory((top) => {
    const tree = join(top, 'tree');
    writeTree(tree, entries);
    if (flavour === 'all') linkProgram(tree);
    writeFileSync(join(top, 'patroniglue.spec'), spec(flavour, entries, version, tree));
    const defines = {
      _topdir: join(top, 'rpmbuild'),
      _rpmdir: top,
      _rpmfilename: '%{NAME}.rpm',
      _buildhost: 'localhost',
      use_source_date_epoch_as_buildtime: '1',
      clamp_mtime_to_source_date_epoch: '1',
      _build_id_links: 'none',
      __os_install_post: '%{nil}', // no stripping: it would cut the program out of its executable
      _binary_payload: 'w1.xzdio',
    };
    const args = Object.entries(defines).flatMap(([key, value]) => ['--define', `${key} ${value}`]);
    execute(
      'rpmbuild',
      ['-bb', '--quiet', '--target', `${architecture}-linux`, ...args, join(top, 'patroniglue.spec')],
      {
        SOURCE_DATE_EPOCH: String(epoch),
      },
    );
    const [made = ''] = readdirSync(top).filter((file) => file.endsWith('.rpm'));
    execute('cp', [join(top, made), join(dir, name)]);
  });
  return name;
}

function spec(flavour: Flavour, entries: readonly Entry[], version: string, tree: string): string {
  const paths = [...entries.map(({ path }) => path), ...(flavour === 'all' ? [PROGRAM] : [])].sort();
  const files = paths.map((path) => `${path === CONFIGURATION ? '%config(noreplace) ' : ''}"/${path}"`);
  return `Name: patroniglue
Version: ${version}
Release: 1
Summary: ${SUMMARY}
License: MIT
Requires: ${REQUIRES[flavour]}
AutoReqProv: no
%global debug_package %{nil}

%description
${description(flavour)}

%install
cp -a "${tree}/." "%{buildroot}/"

%post
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload || :
    if [ "$1" -eq 1 ]; then systemctl preset patroniglue.service || :; fi
fi

%preun
if [ "$1" -eq 0 ] && [ -d /run/systemd/system ]; then
    systemctl disable --now patroniglue.service 'patroniglue@*.service' || :
fi

%postun
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload || :
    if [ "$1" -ge 1 ]; then systemctl try-restart patroniglue.service 'patroniglue@*.service' || :; fi
fi

%files
%defattr(-,root,root,-)
${files.join('\n')}
`;
}

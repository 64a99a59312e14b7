import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CONFIGURATION, PROGRAM, ZSH_COMPLETION, ownDirectories } from './contents.js';
import { linkProgram } from './deb.js';
import { execute, inTemporaryDirectory, writeTree } from './files.js';
import { ACTIVE_INSTANCES, RUNS_ON } from './scriptlets.js';
import type { Entry, Flavour, Release } from './types.js';
import { SUMMARY, description } from './words.js';

const ARCHITECTURE: Readonly<Record<Flavour, string>> = { all: 'noarch', amd64: 'x86_64', arm64: 'aarch64' };

/** What Node's own binaries need, by the names that all distributions have: those of libraries, with the oldest version. */
const LIBRARIES = 'libc.so.6(GLIBC_2.28)(64bit), libstdc++.so.6(CXXABI_1.3.11)(64bit), libgcc_s.so.1()(64bit)';

/** `nodejs(engine)` has no epoch. The packages `nodejs` have one, so that any of them is later than 20.11. */
const REQUIRES: Readonly<Record<Flavour, string>> = {
  all: 'nodejs(engine) >= 20.11',
  amd64: LIBRARIES,
  arm64: LIBRARIES,
};

/** Where zsh looks on systems with RPM. */
const ZSH_SITE_FUNCTION = 'usr/share/zsh/site-functions/_patroniglue';

/** Makes the .rpm with Debian's or any rpmbuild; returns its name. */
export function makeRpm(flavour: Flavour, common: readonly Entry[], { version, epoch, dir }: Release): string {
  const entries = common.map((entry) =>
    entry.path === ZSH_COMPLETION ? { ...entry, path: ZSH_SITE_FUNCTION } : entry,
  );
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
      _binary_payload: 'w9.zstdio', // a tenth larger than xz, in a fifth of the time; what has glibc 2.28 reads it
    };
    const args = Object.entries(defines).flatMap(([key, value]) => ['--define', `${key} ${value}`]);
    execute(
      'rpmbuild',
      ['-bb', '--quiet', '--target', `${architecture}-linux`, ...args, join(top, 'patroniglue.spec')],
      { env: { SOURCE_DATE_EPOCH: String(epoch) } },
    );
    const [made = ''] = readdirSync(top).filter((file) => file.endsWith('.rpm'));
    execute('cp', [join(top, made), join(dir, name)]);
  });
  return name;
}

function spec(flavour: Flavour, entries: readonly Entry[], version: string, tree: string): string {
  const paths = [...entries.map(({ path }) => path), ...(flavour === 'all' ? [PROGRAM] : [])].sort();
  const files = [
    ...ownDirectories(entries).map((dir) => `%dir "/${dir}"`),
    ...paths.map((path) => `${markOf(path)}"/${path}"`),
  ];
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
systemctl daemon-reload >/dev/null 2>&1 || :
if [ "$1" -eq 1 ]; then systemctl --no-reload preset patroniglue.service || :; fi

%preun
if [ "$1" -eq 0 ]; then
    systemctl --no-reload disable patroniglue.service patroniglue@.service || :
    systemctl stop patroniglue.service 'patroniglue@*.service' || :
fi

%postun
systemctl daemon-reload >/dev/null 2>&1 || :
restart() {
    if ! systemctl --quiet is-active "$1"; then return; fi
    if systemctl reload "$1"; then systemctl restart "$1" || :; else echo "${RUNS_ON}" >&2; fi
}
if [ "$1" -ge 1 ]; then
    restart patroniglue.service
    for unit in $(${ACTIVE_INSTANCES}); do restart "$unit"; done
fi

%files
%defattr(-,root,root,-)
${files.join('\n')}
`;
}

function markOf(path: string): string {
  if (path === CONFIGURATION) return '%config(noreplace) ';
  return /LICENSE|copyright$/.test(path) ? '%license ' : '';
}

import { createHash } from 'node:crypto';
import { mkdirSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CONFIGURATION, DOC, PROGRAM, compressed } from './contents.js';
import { execute, inTemporaryDirectory, writeTree } from './files.js';
import { ACTIVE_INSTANCES, RUNS_ON } from './scriptlets.js';
import { MAINTAINER, SUMMARY, description } from './words.js';
import type { Entry, Flavour, Release } from './types.js';

/** What each package needs. Node's own binaries need glibc 2.28 or later (Node's BUILDING.md). */
const DEPENDS: Readonly<Record<Flavour, string>> = {
  all: 'nodejs (>= 20.11)',
  amd64: 'libc6 (>= 2.28), libgcc-s1, libstdc++6 (>= 8)',
  arm64: 'libc6 (>= 2.28), libgcc-s1, libstdc++6 (>= 8)',
};

/** Makes the .deb; returns its name. */
export function makeDeb(flavour: Flavour, entries: readonly Entry[], { version, epoch, dir }: Release): string {
  const name = `patroniglue_${version}_${flavour}.deb`;
  inTemporaryDirectory((tree) => {
    const all = [...entries, changelog(version, epoch)];
    writeTree(tree, [...all, ...controlFiles(flavour, all, version)]);
    if (flavour === 'all') linkProgram(tree);
    const env = { SOURCE_DATE_EPOCH: String(epoch) };
    // -z1: a tenth larger than the default, in a third of the time. xz: dpkg before 1.21.18 knows no zstd
    execute('dpkg-deb', ['--root-owner-group', '-Zxz', '-z1', '--build', tree, join(dir, name)], { env });
  });
  return name;
}

/** Makes /usr/bin/patroniglue a link to the bundle. */
export function linkProgram(tree: string): void {
  mkdirSync(join(tree, dirname(PROGRAM)), { recursive: true, mode: 0o755 });
  symlinkSync('../lib/patroniglue/patroniglue.cjs', join(tree, PROGRAM));
}

function controlFiles(flavour: Flavour, entries: readonly Entry[], version: string): readonly Entry[] {
  const sizeKiB = entries.reduce((sum, { content }) => sum + Math.ceil(content.length / 1024), 0);
  const control = `Package: patroniglue
Version: ${version}
Section: database
Priority: optional
Architecture: ${flavour}
Maintainer: ${MAINTAINER}
Installed-Size: ${sizeKiB}
Depends: ${DEPENDS[flavour]}
Enhances: patroni
Suggests: haproxy
Description: ${SUMMARY}
${description(flavour)
  .split('\n')
  .map((line) => ` ${line === '' ? '.' : line}`)
  .join('\n')}
`;
  const script = (name: string, body: string): Entry => ({
    path: `DEBIAN/${name}`,
    content: `#!/bin/sh\nset -e\n\n${body}`,
    mode: 0o755,
  });
  return [
    { path: 'DEBIAN/control', content: control },
    { path: 'DEBIAN/md5sums', content: md5sums(entries) },
    { path: 'DEBIAN/conffiles', content: `/${CONFIGURATION}\n` },
    script('postinst', POSTINST),
    script('prerm', PRERM),
    script('postrm', POSTRM),
  ];
}

/** Debian wants one in its own form, for `apt changelog`: policy, section 12.7. */
function changelog(version: string, epoch: number): Entry {
  const date = new Date(epoch * 1000).toUTCString().replace('GMT', '+0000');
  const text = `patroniglue (${version}) stable; urgency=medium\n\n  * See CHANGELOG.md.\n\n -- ${MAINTAINER}  ${date}\n`;
  return { path: `${DOC}/changelog.gz`, content: compressed(text) };
}

/** For `dpkg --verify`. As with debhelper, the configuration is not among them. */
function md5sums(entries: readonly Entry[]): string {
  const lines = entries
    .filter(({ path }) => path !== CONFIGURATION)
    .map(({ path, content }) => `${createHash('md5').update(content).digest('hex')}  ${path}\n`);
  return lines.join('');
}

/**
 * As debhelper's dh_installsystemd: enabled and started after the first installation, restarted by an upgrade. But a service
 * that runs is not ended if the new program refuses its configuration: a reload asks it, in the sandbox of the service.
 */
const POSTINST = `case "$1" in
    configure|abort-upgrade|abort-deconfigure|abort-remove) ;;
    *) exit 0 ;;
esac

restart() {
    if systemctl --quiet is-active "$1" && ! deb-systemd-invoke reload "$1"; then
        echo "${RUNS_ON}" >&2
    else
        deb-systemd-invoke restart "$1" >/dev/null || true
    fi
}

# A service that the administrator has disabled stays so.
deb-systemd-helper unmask patroniglue.service >/dev/null || true
if deb-systemd-helper --quiet was-enabled patroniglue.service; then
    deb-systemd-helper enable patroniglue.service >/dev/null || true
else
    deb-systemd-helper update-state patroniglue.service >/dev/null || true
fi
if [ -d /run/systemd/system ]; then
    systemctl --system daemon-reload >/dev/null || true
    if [ -n "$2" ]; then
        restart patroniglue.service
        for unit in $(${ACTIVE_INSTANCES}); do restart "$unit"; done
    else
        deb-systemd-invoke start patroniglue.service >/dev/null || true
    fi
fi
`;

/** An upgrade stops nothing: the old program runs until postinst restarts it. */
const PRERM = `if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
    deb-systemd-invoke stop patroniglue.service 'patroniglue@*.service' >/dev/null || true
fi
`;

/**
 * dpkg itself removes config.yml at a purge, and /etc/patroniglue if nothing else is in it. Of the instances of a template,
 * deb-systemd-helper does not know which are enabled.
 */
const POSTRM = `helper() {
    if command -v deb-systemd-helper >/dev/null; then deb-systemd-helper "$1" patroniglue.service >/dev/null || true; fi
}
if [ "$1" = remove ]; then
    helper mask
    if [ -d /run/systemd/system ]; then systemctl --system daemon-reload >/dev/null || true; fi
fi
if [ "$1" = purge ]; then
    helper purge
    helper unmask
    rm -f /etc/systemd/system/*.wants/patroniglue@*.service
fi
`;

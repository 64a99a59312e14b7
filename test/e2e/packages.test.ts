import assert from 'node:assert/strict';
import { existsSync, copyFileSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { cp, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { version } from '../../src/version.js';
import { debianRoot } from '../support/machine/debian-root.js';
import { type Machine, bootMachine } from '../support/machine/machine.js';
import { run } from '../support/processes/processes.js';
import { skipReasonOfRoot } from '../support/processes/programs.js';
import { type Workspace, createWorkspace } from '../support/processes/workspace.js';
import { eventually } from '../support/time/wait.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** The version that is upgraded: the same files under another number. */
const FORMER = '1.0.0';

/** What the packages are made of, besides what is compiled. */
const READ = [
  ...[
    'README.md',
    'CHANGELOG.md',
    'LICENSE',
    'config.schema.json',
    'config.yml.example',
    'ecosystem.config.cjs',
    'docs',
    'examples',
  ],
  ...['package.json', 'package-lock.json'],
];

/** HAProxy, which checks patroniglue as examples/haproxy.cfg does, and is the Patroni that patroniglue polls as well. */
const HAPROXY = `global
    stats socket /run/haproxy-admin.sock
defaults
    mode http
    timeout connect 1s
    timeout client 5s
    timeout server 5s
frontend patroni
    bind 10.0.0.11:8008
    http-request return status 200 content-type application/json string '{"state":"running","role":"primary"}'
listen stats
    bind 127.0.0.1:8404
    stats enable
    stats uri /stats
listen primary
    mode tcp
    bind 127.0.0.1:5000
    option httpchk GET /primary
    http-check expect status 200
    default-server inter 3s fastinter 1s fall 3 rise 2
    server node1 10.0.0.11:5432 check port 8009
`;

const PATRONI = `scope: main
name: node1
restapi:
  listen: 10.0.0.11:8008
  connect_address: 10.0.0.11:8008
postgresql:
  listen: 10.0.0.11:5432
  connect_address: 10.0.0.11:5432
`;

/** A request in bash: there is no curl. Arguments: host, port, path. */
const GET = `exec 3<> /dev/tcp/$1/$2
printf 'GET %s HTTP/1.0\\r\\n\\r\\n' "$3" >&3
cat <&3
`;

/** The second of the two commands that install patroniglue; the first is apt's. */
const CONFIGURE =
  'patroniglue --init /etc/patroni/config.yml --output /etc/patroniglue/config.yml && systemctl restart patroniglue';

describe('the packages', { skip: await skipReasonOfRoot(['debootstrap', 'rpmbuild']) }, () => {
  let workspace: Workspace;

  const dirOf = (name: string): string => {
    const [, flavour = 'all'] = /(amd64|x86_64|arm64|aarch64)/.exec(name) ?? [];
    return workspace.path({ x86_64: 'amd64', aarch64: 'arm64' }[flavour] ?? flavour);
  };
  const file = (name: string): string => join(dirOf(name), name);
  const env = Object.fromEntries(Object.entries(process.env).filter((entry): entry is [string, string] => !!entry[1]));

  /** Makes packages in the workspace, in directory `name`; by another clone, and with settings of another builder, if given. */
  const make = (
    name: string,
    flavour: string,
    kinds: string,
    clone = root,
    command = '',
    builder = {},
  ): Promise<string> => {
    const script = join(clone, 'build/scripts/packages/main.js');
    const args = [script, '--dir', workspace.path(name), '--flavours', flavour, '--kinds', kinds];
    return run('npm run packages', 'sh', ['-c', `${command} exec "$0" "$@"`, process.execPath, ...args], {
      env: { ...env, ...builder },
      deadlineMs: 240_000,
    });
  };

  before(async () => {
    workspace = await createWorkspace();
    const [home, clone] = [await workspace.mkdir('home'), await workspace.mkdir('clone')];
    await workspace.write('home/.rpmmacros', '%packager somebody\n%_buildhost elsewhere\n');
    for (const name of READ) await cp(join(root, name), join(clone, name), { recursive: true });
    for (const name of ['src', 'scripts', 'bundle']) {
      await cp(join(root, 'build', name), join(clone, 'build', name), { recursive: true });
    }
    await symlink(join(root, 'node_modules'), join(clone, 'node_modules'));
    const epoch = await run('git log', 'git', ['log', '-1', '--format=%ct'], { env, cwd: root });
    const another = {
      ...{ TZ: 'Asia/Tokyo', LANG: 'tr_TR.UTF-8', HOME: home, TAR_OPTIONS: '--verbose' },
      SOURCE_DATE_EPOCH: epoch.trim(),
    };
    await Promise.all([
      make('all', 'all', 'deb,rpm,tar,npm').then(() => make('amd64', 'amd64', 'deb,rpm,tar')),
      make('all-again', 'all', 'deb,rpm,tar,npm', clone, 'umask 077;', another).then(() =>
        make('amd64-again', 'amd64', 'tar', clone, 'umask 077;', another),
      ),
    ]);
    await make('arm64', 'arm64', 'rpm,tar');
  });
  after(() => workspace.close());

  it('are the same bytes when they are made in another clone, with another umask, time zone, language and home', () => {
    const sums = (name: string): readonly string[] =>
      readFileSync(workspace.path(`${name}/SHA256SUMS`), 'utf8')
        .trim()
        .split('\n');
    assert.deepEqual(sums('all-again'), sums('all'));
    assert.equal(sums('all').length, 5, 'deb, rpm, tarball, that of npm, and the list of contents');
    assert.deepEqual(
      sums('amd64-again'),
      sums('amd64').filter((line) => /\.(tar\.gz|cdx\.json)$/.test(line)),
    );
    assert.ok(!existsSync('/nonexistent'), 'rpmbuild writes a database to its home, which is gone with it');
  });

  it('have the checksums of SHA256SUMS', async () => {
    await run('sha256sum', 'sha256sum', ['--check', 'SHA256SUMS'], { env, cwd: workspace.path('all') });
  });

  it('leave alone what else is in the directory in which they are made, and refuse a kind that is none', async () => {
    const other = await workspace.write('all-again/letter.txt', 'mine');
    await assert.rejects(make('all-again', 'all', 'dbe'), /--kinds: unknown "dbe"; allowed: deb, rpm, tar, npm$/);
    await make('all-again', 'all', 'tar');
    assert.equal(readFileSync(other, 'utf8'), 'mine');
    assert.ok(!readdirSync(workspace.path('all-again')).some((name) => name.endsWith('.deb')), 'the former packages');
  });

  it('are told by an SBOM, each component with its version', () => {
    const { components } = JSON.parse(readFileSync(file(`patroniglue-${version}.cdx.json`), 'utf8')) as {
      components: { name: string; purl: string; hashes?: { alg: string; content: string }[] }[];
    };
    const rxjs = components.find(({ name }) => name === 'rxjs');
    assert.match(rxjs?.purl ?? '', /^pkg:npm\/rxjs@7\./);
    assert.match(rxjs?.hashes?.[0]?.content ?? '', /^[0-9a-f]{128}$/);
    assert.ok(components.some(({ name }) => name === 'node'));
    assert.ok(components.every(({ purl }) => /@\d/.test(purl)));
  });

  it('of npm is installed without a registry', async () => {
    const prefix = await workspace.mkdir('prefix');
    const offline = { ...env, npm_config_registry: 'http://127.0.0.1:9/', npm_config_cache: workspace.path('cache') };
    const args = ['install', '--global', '--offline', `--prefix=${prefix}`, file(`patroniglue-${version}.tgz`)];
    await run('npm install', 'npm', args, { env: offline });
    assert.equal(await run('patroniglue', join(prefix, 'bin/patroniglue'), ['--version'], { env }), `${version}\n`);
    const ecosystem = join(prefix, 'lib/node_modules/patroniglue/ecosystem.config.cjs');
    const script = ['--print', `require(${JSON.stringify(ecosystem)}).apps[0].script`];
    const program = (await run('node', process.execPath, script, { env })).trim(); // what pm2 starts
    assert.equal(await run('patroniglue', program, ['--version'], { env }), `${version}\n`);
  });

  for (const [flavour, architecture] of [
    ['all', 'noarch'],
    ['amd64', 'x86_64'],
    ['arm64', 'aarch64'],
  ] as const) {
    it(`of each kind hold the same files, with the same owners and modes: ${flavour}`, async () => {
      const sh = (command: string, name: string): Promise<string> =>
        run(command, 'sh', ['-c', command, file(name)], { env });
      const form = '[%{FILEMODES:perms} %{FILEUSERNAME}/%{FILEGROUPNAME} %{FILENAMES}\\n]';
      const rpm = linesOf(await sh(`rpm -qp --qf '${form}' "$0"`, `patroniglue-${version}-1.${architecture}.rpm`))
        .map((line) => line.replace('zsh/site-functions', 'zsh/vendor-completions'))
        .sort();
      const tar = filesOf(await sh('tar -tvzf "$0"', `patroniglue-${version}-linux-${flavour}.tar.gz`));
      assert.deepEqual(rpm, tar);
      const foreign = tar.filter((line) => line.startsWith('d') && !line.split('/').includes('patroniglue'));
      assert.deepEqual(foreign, [], 'no directory of the system');
      if (flavour === 'arm64') return; // compressing it for Debian takes long
      const deb = filesOf(
        await sh('dpkg-deb --fsys-tarfile "$0" | tar -tv', `patroniglue_${version}_${flavour}.deb`),
      ).filter((line) => !/^d.* \/(?!.*patroniglue)|\/changelog\.gz$/.test(line));
      assert.deepEqual(deb, tar);
    });
  }

  it('of other systems have a program that runs', async () => {
    const dir = await workspace.mkdir('unpacked');
    await run('tar', 'tar', ['-C', dir, '-xzf', file(`patroniglue-${version}-linux-amd64.tar.gz`)], { env });
    const program = join(dir, 'usr/bin/patroniglue');
    assert.equal(await run('patroniglue --version', program, ['--version'], { env }), `${version}\n`);
    const args = ['--check', '--config', join(dir, 'etc/patroniglue/config.yml')];
    assert.match(await run('patroniglue --check', program, args, { env }), /^configuration ok: /m);
  });

  for (const [suite, flavour, more] of [
    ['bookworm', 'amd64', []],
    ['trixie', 'all', ['nodejs', 'rpm']],
  ] as const) {
    describe(`of Debian (${flavour}), on a bare ${suite}`, () => {
      let machine: Machine;
      const deb = `patroniglue_${version}_${flavour}.deb`;
      const former = `patroniglue_${FORMER}_${flavour}.deb`;
      const install = (name: string): string => `apt-get install -y /shared/${name}`;
      const get = (address: string, path: string): Promise<string> =>
        machine.sh(`bash /shared/get ${address} '${path}'`);
      const property = async (name: string, unit = 'patroniglue'): Promise<string> =>
        (await machine.sh(`systemctl show --property=${name} --value '${unit}'`)).trim();
      const isUp = async (): Promise<boolean> =>
        /^primary,node1,.*,UP,/m.test(await get('127.0.0.1 8404', '/stats;csv'));

      before(async () => {
        machine = await bootMachine(await debianRoot(suite, more));
        copyFileSync(file(deb), join(machine.shared, deb));
        await repack(file(deb), join(machine.shared, former));
        writeFileSync(join(machine.shared, 'haproxy.cfg'), HAPROXY);
        writeFileSync(join(machine.shared, 'patroni.yml'), PATRONI);
        writeFileSync(join(machine.shared, 'get'), GET);
        await machine.sh('mkdir /etc/patroni && cp /shared/patroni.yml /etc/patroni/config.yml');
        await machine.sh('cp /shared/haproxy.cfg /etc/haproxy/ && systemctl start haproxy');
      });
      after(() => machine.close());

      it('need two commands from nothing to HAProxy UP', async (t) => {
        assert.ok(!(await isUp()), 'HAProxy has nothing to ask');
        const startedAt = performance.now();
        await machine.sh(install(former), 120_000);
        const installedAt = performance.now();
        await machine.sh(CONFIGURE);
        await eventually('HAProxy marks node1 UP', 20_000, isUp);
        const seconds = (fromMs: number): string => `${((performance.now() - fromMs) / 1000).toFixed(1)} s`;
        t.diagnostic(`from nothing to UP: ${seconds(startedAt)}; from the installed package: ${seconds(installedAt)}`);
      });

      it('run a service that tells systemd what checks get', async () => {
        assert.match(await property('StatusText'), /^200 for \/primary/);
        assert.equal(await property('UnitFileState'), 'enabled');
        assert.equal(await property('NRestarts'), '0');
        assert.equal(await property('Type'), 'notify');
        const owner = Number(await machine.sh(`stat -c %u /proc/${await property('MainPID')}`));
        assert.ok(owner >= 61_184 && owner <= 65_519, 'its own user: DynamicUser');
      });

      it('say what the service cannot read before it is restarted, and how systemd gives it a copy', async () => {
        const etcd = 'etcd3: {host: "127.0.0.1:2379", username: u, password: secret}';
        await machine.sh(`(cat /etc/patroni/config.yml; echo '${etcd}') > /run/etcd.yml`);
        await machine.sh('cp /etc/patroniglue/config.yml /run/kept.yml');
        const pid = await property('MainPID');
        const configure = CONFIGURE.replace('/etc/patroni/config.yml', '/run/etcd.yml');
        await machine.sh(`! (${configure}) 2> /run/steps`);
        assert.equal(await property('MainPID'), pid, 'the service has not been restarted');

        await machine.sh('umask 077 && echo secret > /etc/patroniglue/etcd-password');
        await machine.sh("sed -n '/^mkdir/,/^END/p' /run/steps | sh && systemctl daemon-reload");
        // The copies themselves are not made here: systemd cannot mount them in these namespaces.
        const unit = await machine.sh('systemctl cat patroniglue');
        assert.match(unit, /^LoadCredential=etcd-password:\/etc\/patroniglue\/etcd-password$/m);
        const [init = ''] = configure.split(' && ');
        assert.match(await machine.sh(init), /has this configuration already/);
        assert.match(await get('10.0.0.11 8009', '/primary'), /^HTTP\/1\.1 200 /);
        const absent = await machine.sh('patroniglue --check 2>&1 || true');
        assert.match(absent, /no such file\. It is there while the service runs, if a drop-in has LoadCredential=/);

        await machine.sh('cp --no-preserve=all /run/kept.yml /etc/patroniglue/config.yml');
        const remains = '/etc/patroniglue/config.yml.bak2 /etc/patroniglue/etcd-password';
        await machine.sh(`rm -r /etc/systemd/system/patroniglue.service.d ${remains} && systemctl daemon-reload`);
        await machine.sh('systemctl restart patroniglue && chmod 600 /etc/patroniglue/config.yml');
        assert.match(
          await machine.sh('patroniglue --check'),
          /^warning: root can read \S+config\.yml, .*: chmod 644$/m,
        );
        await machine.sh('chmod 644 /etc/patroniglue/config.yml');
      });

      it('reload, and refuse a bad configuration', async () => {
        const pid = await property('MainPID');
        await machine.sh("sed -i 's/ttl: 4/ttl: 5/' /etc/patroniglue/config.yml && systemctl reload patroniglue");
        await eventually('the log has the reload', 10_000, async () =>
          /reloaded; changed: .*cache\.ttl/.test(await machine.sh('journalctl --unit patroniglue --output cat')),
        );
        await machine.sh('cp /etc/patroniglue/config.yml /run/kept.yml && echo bad >> /etc/patroniglue/config.yml');
        await assert.rejects(machine.sh('systemctl reload patroniglue'), /failed/);
        assert.equal(await property('ActiveState'), 'active');
        await machine.sh('cp /run/kept.yml /etc/patroniglue/config.yml && systemctl reload patroniglue');
        await machine.sh('chmod 600 /etc/patroniglue/config.yml');
        await assert.rejects(machine.sh('systemctl reload patroniglue'));
        const log = await machine.sh('journalctl --unit patroniglue --output cat');
        assert.match(log, /permission denied \(make it readable for the user of the service: chmod 644\)/);
        await machine.sh('chmod 644 /etc/patroniglue/config.yml');
        assert.equal(await property('MainPID'), pid);
      });

      it('run with the limit of open files that the host allows, which the doctor sees without root', async () => {
        const dropIn = '/run/systemd/system/patroniglue.service.d';
        // no kernel allows it; a host where root may raise no limit allows not even 4096
        await machine.sh(`mkdir -p ${dropIn} && printf '[Service]\\nLimitNOFILE=infinity\\n' > ${dropIn}/limit.conf`);
        await machine.sh('systemctl daemon-reload && systemctl restart patroniglue');
        const pid = await property('MainPID');
        const limits = await machine.sh(`cat /proc/${pid}/limits`);
        const [, inForce = ''] = /^Max open files +(\d+)/m.exec(limits) ?? [];
        const nobody = 'setpriv --reuid=65534 --regid=65534 --clear-groups';
        const report = await machine.sh(`${nobody} patroniglue --doctor || true`);
        assert.match(report, new RegExp(`process ${pid}: \\d+ open files of ${inForce}$`, 'm'));
        await machine.sh(`rm -r ${dropIn} && systemctl daemon-reload`);
      });

      it('are restarted by systemd when they stand still', async () => {
        const dropIn = '/run/systemd/system/patroniglue.service.d';
        const pid = await property('MainPID');
        await machine.sh(`mkdir -p ${dropIn} && printf '[Service]\\nWatchdogSec=2\\n' > ${dropIn}/watchdog.conf`);
        await machine.sh('systemctl daemon-reload && systemctl restart patroniglue');
        const watched = await property('MainPID');
        assert.notEqual(watched, pid);
        await machine.sh(`kill -STOP ${watched}`);
        await eventually('another process is ready', 20_000, async () => {
          const now = await property('MainPID');
          return now !== '0' && now !== watched && (await property('ActiveState')) === 'active';
        });
        assert.match(await machine.sh('journalctl --output cat'), /patroniglue\.service: Watchdog timeout/);
        await machine.sh(`rm -r ${dropIn} && systemctl daemon-reload`);
      });

      it('run a second Patroni of the host by a template', async () => {
        await machine.sh('sed "s/port: 8009/port: 8109/" /etc/patroniglue/config.yml > /etc/patroniglue/second.yml');
        await machine.sh('systemctl enable --now patroniglue@second');
        assert.match(await get('10.0.0.11 8109', '/primary'), /^HTTP\/1\.1 200 /);
      });

      it('keep a changed configuration in an upgrade, and run the new program', async () => {
        const [pid, second] = [await property('MainPID'), await property('MainPID', 'patroniglue@second')];
        const before = await machine.sh('cat /etc/patroniglue/config.yml');
        await machine.sh(install(deb), 120_000);
        assert.match(await machine.sh('dpkg-query --show patroniglue'), new RegExp(`\\t${version}\n$`));
        assert.equal(await machine.sh('cat /etc/patroniglue/config.yml'), before);
        assert.notEqual(await property('MainPID'), pid);
        assert.notEqual(await property('MainPID', 'patroniglue@second'), second);
        await eventually('HAProxy marks node1 UP', 20_000, isUp);
        const changed = await machine.sh('dpkg --verify patroniglue || true');
        assert.match(changed, /^\S+ c \/etc\/patroniglue\/config\.yml\n$/, 'all other files are those of the package');
      });

      it('do not end a service in an upgrade because its configuration is bad', async () => {
        const [pid, second] = [await property('MainPID'), await property('MainPID', 'patroniglue@second')];
        await machine.sh('cp /etc/patroniglue/config.yml /run/kept.yml && echo bad >> /etc/patroniglue/config.yml');
        const told = await machine.sh(`/var/lib/dpkg/info/patroniglue.postinst configure ${FORMER} 2>&1`);
        assert.match(told, /patroniglue\.service runs on as the former version/);
        assert.doesNotMatch(told, /patroniglue@second\.service/);
        assert.equal(await property('MainPID'), pid);
        assert.notEqual(await property('MainPID', 'patroniglue@second'), second);
        await machine.sh('cp /run/kept.yml /etc/patroniglue/config.yml');
      });

      it('end the services when they are removed, and leave the configuration', async () => {
        await machine.sh('apt-get remove -y patroniglue');
        assert.equal(
          await machine.sh('systemctl is-active patroniglue patroniglue@second || true'),
          'inactive\ninactive\n',
        );
        await machine.sh('test -e /etc/patroniglue/config.yml && ! test -e /usr/bin/patroniglue');
      });

      it('take with a purge what is theirs, and nothing else', async () => {
        await machine.sh('apt-get purge -y patroniglue');
        assert.equal(await machine.sh('ls /etc/patroniglue'), 'second.yml\n', 'the file of the administrator stays');
        const left = await machine.sh(
          'find /etc /usr /var/lib/systemd -name "*patroniglue*" -not -path "/etc/patroniglue"',
        );
        assert.equal(left, '');
      });

      if (flavour === 'all') {
        it('of RPM are installed, upgraded and removed as well', async () => {
          const units = ['patroniglue', 'patroniglue@second'];
          const pids = (): Promise<string[]> => Promise.all(units.map((unit) => property('MainPID', unit)));
          const rpm = `patroniglue-${version}-1.noarch.rpm`;
          copyFileSync(file(rpm), join(machine.shared, rpm));
          // --nodeps: rpm does not know of Debian's Node.js
          await machine.sh(`umask 077 && rpm -i --nodeps /shared/${rpm}`);
          assert.equal(await property('ActiveState'), 'inactive');
          await machine.sh(`${CONFIGURE} && systemctl enable --now ${units.join(' ')}`);
          assert.match(await property('StatusText'), /^200 for \/primary/);
          assert.match(
            await machine.sh('rpm -V --nodeps patroniglue || true'),
            /^\S+ +c \/etc\/patroniglue\/config\.yml\n$/,
          );

          const before = await pids();
          const upgrade = `rpm -U --replacepkgs --nodeps /shared/${rpm} 2>&1`;
          await machine.sh('cp /etc/patroniglue/second.yml /run/ && echo bad >> /etc/patroniglue/second.yml');
          assert.match(await machine.sh(upgrade), /patroniglue@second\.service runs on as the former version/);
          const after = await pids();
          assert.notEqual(after[0], before[0]);
          assert.equal(after[1], before[1]);
          await machine.sh('cp /run/second.yml /etc/patroniglue/second.yml');

          await machine.sh('rpm -e patroniglue');
          assert.deepEqual(await pids(), ['0', '0']);
          assert.equal(await machine.sh('ls /etc/patroniglue'), 'config.yml.bak\nconfig.yml.rpmsave\nsecond.yml\n');
          assert.equal(await machine.sh('find /usr /etc/systemd -name "*patroniglue*"'), '');
        });
      }
    });
  }
});

/** The same package under the former number. Not compressed: nobody waits for that. */
async function repack(deb: string, to: string): Promise<void> {
  const dir = `${to}.d`;
  const script = `dpkg-deb --raw-extract "$0" "$1" && sed -i 's/^Version: .*/Version: ${FORMER}/' "$1/DEBIAN/control" \
    && dpkg-deb --root-owner-group -Znone --build "$1" "$2" && rm -r "$1"`;
  const env = { PATH: process.env['PATH'] ?? '' };
  await run('dpkg-deb', 'sh', ['-c', script, deb, dir, to], { env, deadlineMs: 60_000 });
}

function linesOf(text: string): string[] {
  return text.split('\n').filter((line) => line !== '');
}

/** Mode, owner and path of each line of `tar -tv`, in the form of rpm, sorted. */
function filesOf(listing: string): string[] {
  return linesOf(listing)
    .map((line) => {
      const [, mode = '', owner = '', path = ''] =
        /^(\S+) (\S+) +\d+ \S+ \S+ (?:\.?\/)?(.*?)\/?(?: -> .*)?$/.exec(line) ?? [];
      return `${mode.replace('lrwxr-xr-x', 'lrwxrwxrwx')} ${owner.replace('0/0', 'root/root')} /${path}`;
    })
    .sort();
}

import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
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

const script = fileURLToPath(new URL('../../scripts/packages/main.js', import.meta.url));

/** The version that is upgraded: the same files under another number. */
const FORMER = '1.0.0';

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
  'patroniglue --init /etc/patroni/config.yml > /etc/patroniglue/config.yml && systemctl restart patroniglue';

describe('the packages', { skip: await skipReasonOfRoot(['debootstrap', 'rpmbuild']) }, () => {
  let workspace: Workspace;

  const file = (name: string): string => join(workspace.path(name.includes('amd64') ? 'amd64' : 'all'), name);
  const env = Object.fromEntries(Object.entries(process.env).filter((entry): entry is [string, string] => !!entry[1]));

  before(async () => {
    workspace = await createWorkspace();
    const make = (name: string, flavour: string, kinds: string): Promise<string> => {
      const args = [script, '--dir', workspace.path(name), '--flavours', flavour, '--kinds', kinds];
      return run('npm run packages', process.execPath, args, { env, deadlineMs: 120_000 });
    };
    for (const again of ['', '-again']) {
      await make(`all${again}`, 'all', 'deb,rpm,tar,npm');
      await make(`amd64${again}`, 'amd64', 'deb'); // to compress 130 MB takes long
    }
  });
  after(() => workspace.close());

  it('are the same bytes when they are made again', () => {
    const sums = (name: string): string => readFileSync(workspace.path(`${name}/SHA256SUMS`), 'utf8');
    assert.equal(sums('all-again'), sums('all'));
    assert.equal(sums('amd64-again'), sums('amd64'));
    assert.equal(sums('all').trim().split('\n').length, 5, 'deb, rpm, tarball, that of npm, and the list of contents');
  });

  it('have the checksums of SHA256SUMS', async () => {
    await run('sha256sum', 'sha256sum', ['--check', 'SHA256SUMS'], { env, cwd: workspace.path('all') });
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
  });

  it('of RPM hold the same files as those of Debian', async () => {
    const rpm = await run('rpm', 'rpm', ['-qpl', file(`patroniglue-${version}-1.noarch.rpm`)], { env });
    const deb = await run(
      'dpkg-deb',
      'sh',
      ['-c', 'dpkg-deb --fsys-tarfile "$0" | tar -t', file(`patroniglue_${version}_all.deb`)],
      { env },
    );
    const files = (text: string): string[] => text.split('\n').filter((path) => path !== '' && !path.endsWith('/'));
    assert.deepEqual(
      files(rpm).sort(),
      files(deb)
        .map((path) => path.replace(/^\./, ''))
        .sort(),
    );
  });

  for (const [suite, flavour, more] of [
    ['bookworm', 'amd64', []],
    ['trixie', 'all', ['nodejs']],
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
        assert.equal(await property('MainPID'), pid);
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
        await machine.sh('systemctl start patroniglue@second');
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

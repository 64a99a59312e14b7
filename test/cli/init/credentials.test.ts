import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { configText } from '../../../src/cli/init/config-text.js';
import { type UnitNeeds, dropInFile, unitOf, withCredentials } from '../../../src/cli/init/credentials.js';
import { settingsOf } from '../../../src/cli/init/patroni-settings.js';
import { readPythonYaml } from '../../../src/cli/init/python-yaml.js';
import { stepsLeft } from '../../../src/cli/init/steps.js';
import { isClosedToOthers } from '../../../src/cli/other-users.js';
import { linesOf } from './printed.js';

const PATRONI = `scope: main
name: node1
restapi:
  listen: 10.0.0.11:8008
  certfile: /etc/patroni/s.pem
  cafile: /etc/patroni/ca.pem
  verify_client: required
ctl: {certfile: /etc/patroni/ctl.pem, keyfile: "/etc/patroni/100%.key"}
etcd3:
  hosts: [10.0.0.21:2379]
  protocol: https
  cacert: /etc/etcd/ca.pem
  cert: /etc/etcd/client.pem
  key: /etc/etcd/client.key
  username: u
  password: p
`;

const settings = (text = PATRONI): ReturnType<typeof settingsOf> => settingsOf('p.yml', readPythonYaml('p.yml', text));
const isKey = (file: string): Promise<boolean> => Promise.resolve(file.endsWith('.key'));
const NEEDS = [
  'LoadCredential=patroni-client.key:/etc/patroni/100%%.key',
  'LoadCredential=etcd-client.key:/etc/etcd/client.key',
  'LoadCredential=etcd-password:/etc/patroniglue/etcd-password',
];

describe("files that the service's own user cannot read", () => {
  it('are named by the path of the copy that systemd makes, and the others by their own', async () => {
    const { settings: changed, ...needs } = await withCredentials(settings(), 'patroniglue.service', isKey);
    const text = configText('p.yml', changed, { needs });
    assert.deepEqual(
      linesOf(text).filter((line) => line.includes('file: ')),
      [
        'cafile: /etc/patroni/ca.pem',
        'certfile: /etc/patroni/ctl.pem',
        'keyfile: /run/credentials/patroniglue.service/patroni-client.key',
        'cafile: /etc/etcd/ca.pem',
        'certfile: /etc/etcd/client.pem',
        'keyfile: /run/credentials/patroniglue.service/etcd-client.key',
        'password-file: /run/credentials/patroniglue.service/etcd-password',
      ],
    );
    for (const line of ['[Service]', ...NEEDS]) assert.ok(text.includes(`#   ${line}\n`), text);
    assert.match(text, /\/etc\/systemd\/system\/patroniglue\.service\.d\/patroniglue-init\.conf/);
  });

  it('need nothing of the unit if there is none, or if no key that is in use names them', async () => {
    const none = await withCredentials(settings('scope: main\nname: n\nrestapi: {listen: "*:8008"}\n'), 'u', isKey);
    assert.deepEqual(none.credentials, []);
    assert.doesNotMatch(configText('p.yml', none.settings, { needs: none }), /LoadCredential|\/run\/credentials/);
    const plain = PATRONI.replace('verify_client: required', 'verify_client: optional')
      .replace('protocol: https', 'protocol: http')
      .replace('password: p', '');
    assert.deepEqual((await withCredentials(settings(plain), 'u', isKey)).credentials, []);
  });

  it('keep a path that a unit cannot have', async () => {
    const all = (): Promise<boolean> => Promise.resolve(true);
    for (const key of ['relative.key', '"/etc/a\\nLoadCredential=x:/y"', '"/etc/a\\\\"']) {
      const text = PATRONI.replace('/etc/etcd/client.key', key).replace('"/etc/patroni/100%.key"', '/etc/k.key');
      const { credentials } = await withCredentials(settings(text), 'u', all);
      assert.ok(!credentials.some(({ name }) => name === 'etcd-client.key'), key);
      assert.ok(credentials.some(({ name }) => name === 'etcd-client.pem'));
    }
  });

  it('are for the unit that reads the file which is written', () => {
    assert.equal(unitOf(undefined), 'patroniglue.service');
    assert.equal(unitOf('/etc/patroniglue/config.yml'), 'patroniglue.service');
    assert.equal(unitOf('/etc/patroniglue/node-2.yml'), 'patroniglue@node-2.service');
    assert.equal(unitOf('/tmp/other.yml'), 'patroniglue.service');
    assert.equal(unitOf('/etc/patroniglue/a b.yml'), 'patroniglue.service');
  });
});

describe('what is left to do after --init', () => {
  let dir: string;
  let needs: UnitNeeds;
  before(async () => {
    dir = await mkdtemp('/var/tmp/patroniglue-credentials-');
    await chmod(dir, 0o755);
    needs = await withCredentials(settings(), 'patroniglue.service', isKey);
  });
  after(async () => {
    await rm(dir, { recursive: true });
  });

  it('is the password and the drop-in, as commands', async () => {
    const steps = await stepsLeft(needs, dir, join(dir, 'none'));
    assert.match(steps[1] ?? '', /Write etcd's password into \/etc\/patroniglue\/etcd-password, /);
    const at = steps.indexOf(`cat > ${dir}/patroniglue.service.d/patroniglue-init.conf <<'END'`);
    assert.deepEqual(steps.slice(at + 1), [
      '[Service]',
      ...NEEDS,
      'END',
      'systemctl daemon-reload && systemctl restart patroniglue.service',
    ]);
  });

  it('is nothing if drop-ins of the unit have it already, whatever their names are', async () => {
    const folder = join(dir, 'patroniglue.service.d');
    await mkdir(folder);
    const password = join(dir, 'password');
    await writeFile(password, '');
    await writeFile(join(folder, 'a.conf'), `[Service]\n${NEEDS[0] ?? ''}\n`);
    assert.ok((await stepsLeft(needs, dir, password)).length > 1);
    await writeFile(join(folder, 'override.conf'), `[Service]\n${NEEDS.slice(1).join('\n')}\n`);
    assert.deepEqual(await stepsLeft(needs, dir, password), []);
    assert.equal((await stepsLeft(needs, dir, join(dir, 'none'))).length, 1, 'the password alone');
    assert.deepEqual(await stepsLeft({ ...needs, credentials: [] }, join(dir, 'none')), []);
    assert.equal(dropInFile(needs), '/etc/systemd/system/patroniglue.service.d/patroniglue-init.conf');
  });

  it('depends on the modes of the file and of its folders', async () => {
    const [open, key, closed] = [join(dir, 'open.pem'), join(dir, 'own.key'), join(dir, 'closed')];
    for (const file of [open, key]) await writeFile(file, '');
    await mkdir(closed);
    await writeFile(join(closed, 'ca.pem'), '');
    await symlink(join(closed, 'ca.pem'), join(dir, 'link.pem'));
    for (const [path, mode] of [
      [open, 0o644],
      [key, 0o640],
      [join(closed, 'ca.pem'), 0o644],
      [closed, 0o750],
    ] as const) {
      await chmod(path, mode);
    }
    assert.equal(await isClosedToOthers(open), false);
    assert.equal(await isClosedToOthers(key), true);
    assert.equal(await isClosedToOthers(join(closed, 'ca.pem')), true);
    assert.equal(await isClosedToOthers(join(dir, 'link.pem')), true);
    assert.equal(await isClosedToOthers(join(dir, 'none.pem')), false);
  });
});

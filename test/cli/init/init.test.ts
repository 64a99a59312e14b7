import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { initialConfig } from '../../../src/cli/init/init.js';
import { ConfigError } from '../../../src/errors.js';
import { parsedConfig } from './printed.js';

const PATRONI = 'scope: main\nname: node1\nrestapi:\n  listen: 0.0.0.0:8008\n';

describe('the files of --init', () => {
  let dir: string;
  const write = async (name: string, content: string | Buffer): Promise<string> => {
    const path = join(dir, name);
    await writeFile(path, content);
    return path;
  };
  const refusal = (patroni: string, haproxy?: string): Promise<string> =>
    initialConfig({ patroni, ...(haproxy !== undefined && { haproxy }) }, {}).then(
      () => assert.fail('not refused'),
      (error: unknown) => {
        assert.ok(error instanceof ConfigError, String(error));
        return error.message;
      },
    );

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'patroniglue-init-'));
  });
  after(async () => {
    await rm(dir, { recursive: true });
  });

  it('are a patroni.yml and a haproxy.cfg', async () => {
    const patroni = await write('patroni.yml', PATRONI);
    const haproxy = await write(
      'haproxy.cfg',
      'listen a\noption httpchk GET /sync\nserver s 10.0.0.1:5432 check port 8008\n',
    );
    const environment = { PATRONI_RESTAPI_CONNECT_ADDRESS: '10.0.0.11:8008' };
    const { text, notes, steps } = await initialConfig({ patroni, haproxy }, environment);
    const { frontend, backend } = parsedConfig(text);
    assert.equal(frontend.host, '10.0.0.11');
    assert.deepEqual(backend.routes, ['/sync']);
    assert.ok(text.includes(patroni) && text.includes(haproxy));
    assert.deepEqual([notes, steps], [[], []]);
  });

  it('may be a folder, in which the last file counts', async () => {
    const folder = join(dir, 'patroni.d');
    await mkdir(folder);
    await write('patroni.d/10.yml', PATRONI);
    await write('patroni.d/20.yaml', 'restapi: {connect_address: "10.0.0.12:8008"}\n');
    await write('patroni.d/30.txt', 'name: other\n');
    const { frontend } = parsedConfig((await initialConfig({ patroni: folder }, {})).text);
    assert.equal(frontend.host, '10.0.0.12');
    const empty = join(dir, 'empty.d');
    await mkdir(empty);
    assert.equal(await refusal(empty), `${empty}:1:1: the folder has no file *.yml or *.yaml`);
  });

  it('are told where they cannot be used, in one line', async () => {
    const good = await write('good.yml', PATRONI);
    const none = join(dir, 'none.yml');
    assert.equal(await refusal(none), `${none}:1:1: cannot read the file: no such file`);
    assert.equal(await refusal(good, none), `${none}:1:1: cannot read the file: no such file`);
    assert.equal(await refusal(good, dir), `${dir}:1:1: cannot read the file: it is a directory`);
    const bytes = await write('bytes.yml', Buffer.from([0xff, 0xfe]));
    assert.equal(await refusal(bytes), `${bytes}:1:1: the file is not UTF-8 text`);
    const broken = await write('broken.yml', 'scope: main\nname: "x\n');
    assert.match(await refusal(broken), /broken\.yml:3:1: not valid YAML: missing closing.*$/);
    const tab = await write('tab.yml', 'scope: main\nrestapi:\n\tlisten: "0.0.0.0:8008"\n');
    assert.match(await refusal(tab), /tab\.yml:3:1: not valid YAML: tabs are not allowed .*; write spaces$/);
    const loop = join(dir, 'loop.yml');
    await symlink(loop, loop);
    assert.equal(await refusal(loop), `${loop}:1:1: cannot read the file: ELOOP`);
  });
});

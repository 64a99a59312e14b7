import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { stringify } from 'yaml';
import { ADDRESSES, type Host, type TwoHosts, makeTwoHosts, withoutTwoHosts } from '../support/machine/two-hosts.js';
import { mainFile } from '../support/processes/main-file.js';
import { skipReasonOfRoot } from '../support/processes/programs.js';
import type { Running } from '../support/processes/processes.js';
import { type Workspace, createWorkspace } from '../support/processes/workspace.js';
import { eventually, within } from '../support/time/wait.js';

const PORT = 8009;

/** Prints the status of a reply, or the code of the error. */
const CLIENT = `
const [host, port, localAddress, path] = process.argv.slice(1);
require('node:http').get({ host, port, path, ...(localAddress && { localAddress }) }, (reply) => {
  console.log(reply.statusCode);
  process.exit();
}).on('error', (error) => console.log(error.code));
`;

/** Real clients of another host, where those on loopback would be this host. */
describe(
  'access lists, and clients of another host',
  { skip: (await skipReasonOfRoot(['ip'])) || withoutTwoHosts() },
  () => {
    let hosts: TwoHosts;
    let workspace: Workspace;
    let service: Running;
    let configFile: string;
    before(async () => {
      hosts = await makeTwoHosts();
      workspace = await createWorkspace();
    });
    afterEach(() => service.stop(2000));
    after(async () => {
      await workspace.close();
      await hosts.close();
    });

    async function startOn(host: Host, frontend: Readonly<Record<string, unknown>>): Promise<void> {
      const config = { frontend: { host: '::', port: PORT, ...frontend }, backend: { host: '127.0.0.1' } };
      configFile = await workspace.write('config.yml', stringify(config));
      const [command, ...args] = [...hosts.on[host], process.execPath, mainFile, '--config', configFile];
      service = await workspace.start('patroniglue', command, args);
      await eventually('it listens', 10_000, () => service.output().includes('is listening on'));
    }
    const runOn = async (host: Host, ...words: readonly string[]): Promise<string> => {
      const [command = '', ...args] = [...hosts.on[host], process.execPath, ...words];
      const running = await workspace.start(words.join(' ').slice(0, 40), command, args);
      await within('its end', 15_000, running.exit);
      return running.output();
    };
    /** By one of the networks that both hosts are in. */
    const askFrom = async (host: Host, network: 0 | 1 | 2 | 3, path: string): Promise<string> => {
      const from = network === 3 ? '' : ADDRESSES[host][network]; // Node takes no zone here
      return (await runOn(host, '-e', CLIENT, ADDRESSES.one[network], String(PORT), from, path)).trim();
    };

    it('frontend.allow lets in the networks that it names, by IPv4 and by IPv6, and this host by all its addresses', async () => {
      await startOn('one', { allow: ['10.99.0.0/24', 'fe80::/10'] });
      const asked = [0, 1, 2, 3] as const;
      assert.deepEqual(await Promise.all(asked.map((network) => askFrom('two', network, '/-/healthy'))), [
        '200',
        'ECONNRESET',
        'ECONNRESET',
        '200',
      ]);
      assert.deepEqual(await Promise.all(asked.map((network) => askFrom('one', network, '/-/healthy'))), [
        '200',
        '200',
        '200',
        '200',
      ]);
      assert.match(service.output(), /warn: (::ffff:10\.98\.0\.2|fd99::2) is not in frontend\.allow/);
    });

    it('frontend.allow-pages shows the pages to the networks that it names', async () => {
      await startOn('one', { 'allow-pages': ['10.98.0.2'] });
      const statuses = [0, 1, 2, 3] as const;
      assert.deepEqual(await Promise.all(statuses.map((network) => askFrom('two', network, '/-/metrics'))), [
        '403',
        '200',
        '403',
        '403',
      ]);
      assert.equal(await askFrom('two', 0, '/-/healthy'), '200');
    });

    it('the doctor says what to do if they refuse the host on which it runs', async () => {
      await startOn('one', { host: ADDRESSES.one[0], allow: [] });
      const doctor = (): Promise<string> => runOn('two', mainFile, '--config', configFile, '--doctor');
      const refused = await doctor();
      assert.match(refused, /^CRITICAL +service +no patroniglue answers at 10\.99\.0\.1:8009: /m);
      assert.match(
        refused,
        /^ +to do: If frontend\.allow refuses this host's address, the log of the service names it/m,
      );
      assert.match(service.output(), /10\.99\.0\.2 is not in frontend\.allow/);
      await service.stop(2000);
      await startOn('one', { host: ADDRESSES.one[0], 'allow-pages': [] });
      const withoutPages = await doctor();
      assert.match(withoutPages, /^CRITICAL +service +patroniglue answers at 10\.99\.0\.1:8009; not ready: /m);
      assert.match(
        withoutPages,
        /^UNKNOWN +versions .*HTTP 403: only this host and the networks of frontend\.allow-pages/m,
      );
    });
  },
);

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Deployment, startDeployment } from '../support/cluster/deployment.js';
import { startProcess } from '../support/processes/processes.js';
import { skipReason } from '../support/processes/programs.js';
import { mainFile } from '../support/processes/main-file.js';
import { type Workspace, createWorkspace } from '../support/processes/workspace.js';
import { eventually, within } from '../support/time/wait.js';

describe('--doctor beside a real Patroni, HAProxy and etcd', { skip: await skipReason() }, () => {
  let deployment: Deployment;
  let workspace: Workspace;
  before(async () => {
    deployment = await startDeployment({ witness: true, agents: true });
    workspace = await createWorkspace();
  });
  after(async () => {
    await deployment.close();
    await workspace.close();
  });

  it('finds nothing to do, and then that Patroni is frozen', async () => {
    await deployment.explained(async () => {
      const { cluster, services, haproxy } = deployment;
      await deployment.settled();
      const primary = await cluster.primary();
      const service = services[cluster.nodes.indexOf(primary)];
      assert.ok(service);
      const file = await workspace.write('haproxy.cfg', haproxy.config);
      const doctor = async (): Promise<{ readonly code: number | null; readonly text: string }> => {
        const args = [mainFile, '--doctor', '--config', service.configFile, '--haproxy', file];
        const env = { PATH: process.env['PATH'] ?? '' };
        const child = await startProcess('patroniglue --doctor', process.execPath, args, { env });
        const { code } = await within('the doctor ends', 15_000, child.exit);
        return { code, text: child.output() };
      };
      await eventually('both routes have been asked for', 10_000, async () => {
        const page = await service.get('/-/metrics');
        return (
          page.kind === 'reply' && /^patroniglue_checks_total\{route="\/primary",status="200"\} [1-9]/m.test(page.body)
        );
      });
      const well = await doctor();
      assert.match(well.text, /^PATRONIGLUE OK - /);
      assert.match(well.text, /^OK +patroni +.*\/primary 200 in/m);
      assert.match(well.text, /^OK +witness +it agrees with Patroni/m);
      assert.match(well.text, /^OK +timings +listen primary .* within the bound of/m);
      assert.match(well.text, /^OK +agents +each agent check stands beside an HTTP check/m);
      assert.equal(well.code, 0, well.text);
      primary.freeze();
      const ill = await doctor();
      await eventually('another node is the primary', 60_000, async () => {
        const page = await service.get('/primary');
        return page.kind === 'reply' && page.body.includes('"says": "the leader key names node2"');
      });
      const deposed = await doctor();
      const [reply, status] = [await service.get('/primary'), await service.get('/-/status.json')];
      primary.thaw();
      assert.match(ill.text, /^(?:WARNING|CRITICAL) +patroni +.*\/primary: poll timed out/m);
      assert.match(
        ill.text,
        /^(?:OK|CRITICAL) +witness +Patroni (?:has not answered|does not answer; the leader key names)/m,
      );
      assert.ok(ill.code === 1 || ill.code === 2, `exit code ${ill.code ?? 'none'}`);
      assert.match(
        deposed.text,
        /^WARNING +witness +.*its member key in etcd has expired: all of Patroni is frozen .*; the leader key names node2$/m,
      );
      assert.match(deposed.text, /^WARNING +patroni +.*; checks still get 503 for \/primary, .*, by the witness$/m);
      assert.match(deposed.text, /^ +to do: .*kill it alone rather than thaw it/m);
      assert.equal(deposed.code, 1);
      assert.match(service.output(), /\/primary: still 503 \(witness: the leader key names node2\)/);
      assert.ok(reply.kind === 'reply' && status.kind === 'reply');
      const { detail, since } = JSON.parse(reply.body) as Record<string, unknown>;
      assert.equal(detail, 'Patroni does not answer; by the witness: the leader key names node2');
      assert.ok(Date.parse(String(since)) < Date.parse(String(reply.headers['date'])) - 5000, String(since));
      const { witness } = JSON.parse(status.body) as { witness: Record<string, unknown> };
      assert.deepEqual([witness['active'], witness['leader'], witness['member-key']], [true, 'node2', false]);
    });
  });
});

import assert from 'node:assert/strict';
import { createCertificates } from '../certificates.js';
import { type Sample, outcomeOf, startSteadyChecks } from '../clients/checks.js';
import type { Worker } from '../processes/child.js';
import { openFiles, residentMB } from '../measuring/proc.js';
import { type Service, startService } from '../processes/service.js';
import { type Upstream, answering, startUpstream } from '../upstreams/upstream.js';
import { eventually } from '../time/wait.js';
import { createWorkspace } from '../processes/workspace.js';

export type Scheme = 'http' | 'https';

/** As large as the service takes an answer of Patroni to `/cluster`, nearly. */
const CLUSTER_BYTES = 900_000;

/** A handshake each is a core's work for both sides: fewer of them. */
const CHECKS_PER_SECOND = { http: 200, https: 50 };

/** What a check may wait for its reply, on a machine that is busy with other tests as well: the figure is the bench's. */
const NOTICED_MS = 5000;

/** Long: a poll that the busy machine delays is not what is tested. */
const CACHE = { ttl: 30, 'slow-ttl': 60 };

const SLACK = { files: 20, memoryMb: 150, logLines: 10 };

/** The service under attack, with good checks beside it. */
export interface AttackedService {
  readonly port: number;
  readonly pid: number;
  readonly upstream: Upstream;
  /** From here on good checks go beside what happens, and {@link assertUnharmed} compares with how it was now. */
  watch(): Promise<void>;
  /** No good check noticed anything; files, memory, log and replies are as before. */
  assertUnharmed(): Promise<void>;
  close(): Promise<void>;
}

/** Starts the service, with an upstream whose `/cluster` is large; resolves when both that and `/primary` are answered. */
export async function startAttackedService(scheme: Scheme): Promise<AttackedService> {
  const workspace = await createWorkspace();
  const upstream = await startUpstream();
  const cluster = answering(200, 'x'.repeat(CLUSTER_BYTES));
  upstream.behave((socket, head) => {
    (head.startsWith('GET /cluster ') ? cluster : answering(200))(socket, head);
  });
  const tls = scheme === 'https' ? await createCertificates(await workspace.mkdir('certificates')) : undefined;
  const service: Service = await startService({
    config: {
      backend: { host: '127.0.0.1', port: upstream.port },
      cache: CACHE,
      ...(tls && { frontend: { certfile: tls.server.cert, keyfile: tls.server.key } }),
    },
    flags: [],
    ...(tls && { tls: { caFile: tls.ca.cert } }),
  });
  const answers = async (): Promise<boolean> =>
    (await service.get('/cluster')).status === 200 && (await service.get('/primary')).status === 200;
  await eventually('it answers', 10_000, answers);

  let checks: Worker<readonly Sample[]> | undefined;
  let before = { files: 0, memoryMb: 0, logLines: 0 };
  const logLines = (): string[] => service.output().split('\n');
  return {
    port: service.port,
    pid: service.pid,
    upstream,
    async watch() {
      await eventually('it answers', 10_000, answers);
      before = { files: openFiles(service.pid), memoryMb: residentMB(service.pid), logLines: logLines().length };
      const pace = { ports: [service.port], routes: ['/primary'], perSecond: CHECKS_PER_SECOND[scheme] };
      checks = await startSteadyChecks({ ...pace, tls: scheme === 'https' });
    },
    async assertUnharmed() {
      const samples = (await checks?.end()) ?? [];
      checks = undefined;
      assert.ok(samples.length > 0);
      assert.deepEqual([...new Set(samples.map(outcomeOf))], [200], 'what came of the checks');
      const slowestMs = Math.max(...samples.map(({ sentMs, endMs }) => endMs - sentMs));
      assert.ok(slowestMs < NOTICED_MS, `the slowest of ${samples.length} checks took ${slowestMs.toFixed()} ms`);
      await eventually('its files are closed', 10_000, () => openFiles(service.pid) <= before.files + SLACK.files);
      const usedMb = residentMB(service.pid);
      assert.ok(
        usedMb < before.memoryMb + SLACK.memoryMb,
        `${usedMb.toFixed()} MB, after ${before.memoryMb.toFixed()}`,
      );
      const lines = logLines().slice(before.logLines - 1);
      assert.ok(lines.length <= SLACK.logLines, lines.join('\n'));
      assert.deepEqual(
        lines.filter((line) => / error: |Error/.test(line)),
        [],
      );
      assert.ok(await answers());
    },
    async close() {
      await checks?.close();
      await service.close();
      await upstream.close();
      await workspace.close();
    },
  };
}

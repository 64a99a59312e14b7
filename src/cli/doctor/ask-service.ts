import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Config } from '../../config/types.js';
import { messageOf } from '../../errors.js';
import { processWith, readProcess } from '../../linux/process.js';
import { listeningAt } from '../../linux/sockets.js';
import { type ServiceReply, askService, certificateHint } from '../running-service.js';
import { seriesIn } from './series.js';
import type { ServiceFacts, ServiceProcess } from './types.js';

const WITHIN_MS = 2000;

/** Asks the running service whether it is ready, and for its metrics. Neither counts as a check. Never rejects. */
export async function askRunningService(config: Config): Promise<ServiceFacts> {
  const get = (path: string): Promise<ServiceReply> => askService(config, { method: 'GET', path, withinMs: WITHIN_MS });
  try {
    const ready = await get('/-/ready');
    const metrics = await get('/-/metrics').catch(() => undefined);
    const { certificate } = ready;
    return {
      kind: 'answers',
      isReady: ready.status === 200,
      readiness: ready.body.trim().slice(0, 500),
      series: metrics?.status === 200 ? seriesIn(metrics.body) : [],
      ...(certificate && { certificate }),
    };
  } catch (error) {
    const hint = certificateHint(config);
    return { kind: 'silent', problem: `${messageOf(error)}${hint === undefined ? '' : `; ${hint}`}` };
  }
}

/**
 * The limit of open files of the process that listens at the port of the front end. Without the right to see it, that of the
 * systemd unit. Never rejects.
 */
export async function findServiceProcess(config: Config, signal: AbortSignal): Promise<ServiceProcess | undefined> {
  const [socket] = await listeningAt(config.frontend.port);
  const pid = socket && (await processWith(socket.inode, signal));
  const seen = pid === undefined ? undefined : await readProcess(pid);
  if (seen?.openFilesLimit === undefined) return socket && limitOfUnit(signal);
  const { openFiles, openFilesLimit } = seen;
  return { source: `process ${seen.pid}`, openFilesLimit, ...(openFiles !== undefined && { openFiles }) };
}

const UNIT = 'patroniglue.service';

async function limitOfUnit(signal: AbortSignal): Promise<ServiceProcess | undefined> {
  try {
    const args = ['show', UNIT, '--property=LimitNOFILE,ActiveState'];
    const { stdout } = await promisify(execFile)('systemctl', args, { signal });
    const [, limit] = /^LimitNOFILE=(\d+|infinity)$/m.exec(stdout) ?? [];
    if (limit === undefined || !/^ActiveState=active$/m.test(stdout)) return undefined;
    return { source: UNIT, openFilesLimit: limit === 'infinity' ? Infinity : Number(limit) };
  } catch {
    return undefined; // no systemd
  }
}

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Config } from '../../config/types.js';
import { messageOf } from '../../errors.js';
import { processWith, readProcess } from '../../linux/process.js';
import { listeningAt } from '../../linux/sockets.js';
import { jsonObject } from '../../patroni/json-body.js';
import { type ServiceReply, SilentService, askService, certificateHint } from '../running-service.js';
import { seriesIn } from './series.js';
import type { ServiceFacts, ServiceProcess } from './types.js';

const WITHIN_MS = 2000;

/** Asks the running service whether it is ready, and for its metrics. Neither counts as a check. Never rejects. */
export async function askRunningService(config: Config): Promise<ServiceFacts> {
  const get = (path: string): Promise<ServiceReply> => askService(config, { method: 'GET', path, withinMs: WITHIN_MS });
  const hint = certificateHint(config);
  const withHint = (text: string): string => `${text}${hint === undefined ? '' : `; ${hint}`}`;
  try {
    const { status, body, certificate } = await get('/-/ready');
    if (!isReadiness(status, body)) {
      const problem = `another program does, with HTTP ${status} for /-/ready`;
      return { kind: 'silent', silence: 'another program', problem };
    }
    const metrics = await get('/-/metrics').catch(messageOf);
    const isGiven = typeof metrics === 'object' && metrics.status === 200;
    return {
      kind: 'answers',
      isReady: status === 200,
      readiness: body.trim().slice(0, 500),
      series: isGiven ? seriesIn(metrics.body) : [],
      ...(!isGiven && { withoutMetrics: withHint(typeof metrics === 'object' ? refusalIn(metrics) : metrics) }),
      ...(certificate && { certificate }),
    };
  } catch (error) {
    const silence = error instanceof SilentService ? error.silence : 'other';
    return { kind: 'silent', silence, problem: withHint(messageOf(error)) };
  }
}

/** Whether a reply to `/-/ready` is one of patroniglue's. */
function isReadiness(status: number, body: string): boolean {
  return status === 200 ? body === 'ready\n' : status === 503 && body.startsWith('not ready: ');
}

/** `HTTP 403: only this host and ...` */
function refusalIn({ status, body }: ServiceReply): string {
  const detail = jsonObject(Buffer.from(body))?.['detail'];
  return `HTTP ${status}${typeof detail === 'string' ? `: ${detail.slice(0, 500)}` : ''}`;
}

/**
 * The limit of open files of the process that listens where the front end does. Without the right to see which process
 * that is, of the one that systemd knows; each process may see its limit. Never rejects.
 */
export async function findServiceProcess(config: Config, signal: AbortSignal): Promise<ServiceProcess | undefined> {
  const [socket] = await listeningAt(config.frontend.host, config.frontend.port);
  const pid = socket && (await processWith(socket.inode, signal));
  const seen = pid === undefined ? undefined : await readProcess(pid);
  if (seen?.openFilesLimit === undefined) return socket && processOfUnit(signal);
  const { openFiles, openFilesLimit } = seen;
  return { source: `process ${seen.pid}`, openFilesLimit, ...(openFiles !== undefined && { openFiles }) };
}

const UNIT = 'patroniglue.service';

/** Not the unit's `LimitNOFILE`, which is what was wished for: a container may have refused it. */
async function processOfUnit(signal: AbortSignal): Promise<ServiceProcess | undefined> {
  try {
    const { stdout } = await promisify(execFile)('systemctl', ['show', UNIT, '--property=MainPID'], { signal });
    const [, pid = '0'] = /^MainPID=(\d+)$/m.exec(stdout) ?? [];
    const openFilesLimit = pid === '0' ? undefined : (await readProcess(Number(pid)))?.openFilesLimit;
    return openFilesLimit === undefined ? undefined : { source: `process ${pid}`, openFilesLimit };
  } catch {
    return undefined; // no systemd
  }
}

import type { Environment } from '../../config/environment.js';
import { loadConfig } from '../../config/load.js';
import { NO_PERMISSION } from '../../config/tls.js';
import type { Config, LoadedConfig } from '../../config/types.js';
import { ConfigError } from '../../errors.js';
import { closedFiles } from '../closed-files.js';
import { not, worstOf } from './finding.js';
import { findingsOf } from './findings/all.js';
import { tookMs } from './findings/patroni.js';
import { EXIT_CODES, type Measure, jsonText, tableText } from './report.js';
import type { Facts, Finding } from './types.js';

/** What the command line asks of the doctor: the path of config.yml, that of a haproxy.cfg, and the form of the report. */
export interface DoctorOrder {
  /** `undefined`: the environment alone. */
  readonly config: string | undefined;
  readonly haproxy?: string;
  readonly json: boolean;
}

/** Looks at everything once. Never rejects. */
type Gather = (file: string, config: Config, haproxyFile: string | undefined) => Promise<Facts>;

/**
 * Looks at everything that an operator would look at. The report is for people, or JSON for programs; the exit code is one of
 * Nagios'. Takes less than ten seconds, and changes nothing.
 */
export async function examine(
  order: DoctorOrder,
  environment: Environment,
  gather: Gather,
): Promise<{ readonly text: string; readonly exitCode: number }> {
  const { findings, measures } = await examination(order, environment, gather);
  const text = order.json ? jsonText(findings, measures) : tableText(findings, measures);
  return { text, exitCode: EXIT_CODES[worstOf(findings.map(({ state }) => state))] };
}

interface Examination {
  readonly findings: readonly Finding[];
  readonly measures: readonly Measure[];
}

async function examination(
  { config: path, haproxy }: DoctorOrder,
  environment: Environment,
  gather: Gather,
): Promise<Examination> {
  const file = path ?? 'the environment';
  let loaded: LoadedConfig;
  try {
    loaded = await loadConfig(path, undefined, environment);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    if (error.problems.every(({ message }) => message.includes(NO_PERMISSION))) {
      const todo = 'Run it as root, or as a user who may read the file: nothing else can be looked at before.';
      return { findings: [not('UNKNOWN', 'configuration', error.message, todo)], measures: [] };
    }
    const todo = `Correct ${file}: nothing else can be looked at before, and a restart of the service would fail.`;
    return { findings: [not('CRITICAL', 'configuration', error.message, todo)], measures: [] };
  }
  const [facts, closed] = await Promise.all([gather(file, loaded.config, haproxy), closedFiles(loaded)]);
  const slowestMs = Math.max(0, ...facts.patroni.answers.map(tookMs));
  const measures = facts.patroni.answers.length === 0 ? [] : [{ label: 'patroni', seconds: slowestMs / 1000 }];
  return { findings: findingsOf({ ...facts, closed }), measures };
}

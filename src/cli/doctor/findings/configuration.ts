import { not, ok } from '../finding.js';
import type { Facts, Finding } from '../types.js';

const CHECK = 'configuration';

/** The configuration, and whether the service can listen as it says. The ends of certificates have findings of their own. */
export function configurationFindings({ file, config, closed = [], listen }: Facts): readonly Finding[] {
  const problems = listen.flatMap(({ section, problem }) =>
    problem === undefined
      ? []
      : [not('CRITICAL', CHECK, `${section}.host: ${problem}`, `Write an address of this host as ${section}.host.`)],
  );
  const warnings = config.warnings
    .filter((warning) => !/ (?:ends|expired) on \d{4}-/.test(warning))
    .map((warning) => not('WARNING', CHECK, warning, `Correct this key in ${file}, then reload.`));
  const todo = 'Let the service read it: otherwise its next restart fails.';
  const unreadable = closed.map((line) => not('WARNING', CHECK, line, todo));
  const found = [...problems, ...warnings, ...unreadable];
  return found.length === 0 ? [ok(CHECK, file)] : found;
}

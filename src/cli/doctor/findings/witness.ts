import { not, ok } from '../finding.js';
import type { Facts, Finding } from '../types.js';

const CHECK = 'witness';

/** Whether the witness can be reached, agrees with Patroni, and so can be used. */
export function witnessFindings({ witness }: Facts): readonly Finding[] {
  if (witness === undefined) return [ok(CHECK, 'none is configured: while Patroni does not answer, checks get 503')];
  const text = witness.text.replace(/^witness: /, '');
  if (witness.isUsable) return [ok(CHECK, text)];
  const todo = 'Correct the section witness (docs/witness.md), or mend etcd: without it, a frozen Patroni means 503.';
  return [not('WARNING', CHECK, text, todo)];
}

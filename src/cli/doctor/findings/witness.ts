import type { NodeInEtcd } from '../../live-types.js';
import { not, ok } from '../finding.js';
import { valueIn } from '../series.js';
import type { Facts, Finding } from '../types.js';

const CHECK = 'witness';

/**
 * Whether the witness can be reached, agrees with Patroni, and so can be used. Besides that, what etcd says of the node, if it
 * is bad: that no node leads, or that all of a Patroni stands still that does not answer.
 */
export function witnessFindings(facts: Facts): readonly Finding[] {
  const { witness, patroni } = facts;
  if (witness === undefined) return [ok(CHECK, 'none is configured: while Patroni does not answer, checks get 503')];
  const isSilent = patroni.answers.every(({ outcome }) => outcome.kind === 'failed');
  const bad = witness.seen && badIn(witness.seen, isSilent, hasAgreed(facts));
  if (bad) return [bad];
  const text = witness.text.replace(/^witness: /, '');
  if (witness.isUsable) return [ok(CHECK, text)];
  const todo = 'Correct the section witness (docs/witness.md), or mend etcd: without it, a frozen Patroni means 503.';
  return [not('WARNING', CHECK, text, todo)];
}

/** The witness of the running service agreed with Patroni when the two were last compared: its name and its key are right. */
function hasAgreed({ service }: Facts): boolean {
  return service.kind === 'answers' && valueIn(service.series, 'patroniglue_witness_up') === 1;
}

function badIn(
  { isCompared, name, hasMember, leader, verdict }: NodeInEtcd,
  isSilent: boolean,
  isNameRight: boolean,
): Finding | undefined {
  const isLost = leader === undefined || (leader === name && verdict?.status === 503);
  const why = verdict?.why ?? `the leader key names ${leader ?? 'no node'}`;
  const says = isLost ? `${why}: the witness says 503 for the primary` : why;
  const state = isLost ? 'CRITICAL' : 'WARNING';
  if (isCompared && leader === undefined) {
    const todo = 'See with `patronictl list` why no node becomes the leader, and read the logs of Patroni.';
    return not(state, CHECK, 'no node holds the leader key: the cluster has no primary', todo);
  }
  if (!isSilent || (hasMember && !isLost)) return undefined;
  const silent = 'Patroni does not answer';
  if (hasMember) return not(state, CHECK, `${silent}; ${says}`, `Decide by ${RUNBOOK}.`);
  const all = 'all of Patroni is frozen or has stopped, not its API alone';
  return isNameRight
    ? not(state, CHECK, `${silent}, and its member key in etcd has expired: ${all}; ${says}`, KILL)
    : not(
        state,
        CHECK,
        `${silent}, and etcd has no member ${name}: ${all}, or ${name} is not its name; ${says}`,
        `Compare witness.name with name in patroni.yml. If they are the same: ${KILL}`,
      );
}

const RUNBOOK = 'docs/runbook-patroni-frozen.md (the service has it at /-/runbook), section Decide';

const KILL =
  'See with `patronictl list` whether another node leads. If this Patroni still runs, kill it alone rather than thaw it ' +
  `(before 3.0.3, a thaw can lose commits): ${RUNBOOK}.`;

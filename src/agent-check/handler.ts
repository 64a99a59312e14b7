import type { AgentConfig } from '../config/types.js';
import { describeNotFresh } from '../patroni/snapshot-text.js';
import { OTHER_ROUTE, canonicalRoute } from '../patroni/routes.js';
import { readAt } from '../patroni/snapshot.js';
import type { AgentReply, AgentState, Question } from './types.js';
import type { Snapshot, CanonicalRoute } from '../patroni/types.js';

/** What the handler makes replies from. No function of it waits. */
interface AgentSources {
  /** As {@link Snapshots.ask} of the front end. */
  readonly ask: (route: CanonicalRoute) => Snapshot | undefined;
  /** The clock of snapshots, in milliseconds. */
  readonly nowMs: () => number;
  /** The longest a poll may take, in milliseconds: `backend.timeout`. */
  readonly pollTimeoutMs: () => number;
  /** How long patroniglue itself stood still between two moments, in milliseconds. */
  readonly stoodStillMs: (fromMs: number, toMs: number) => number;
  /** True if patroniglue stood still for more than half of the time between two moments. */
  readonly wasMostlyStill: (fromMs: number, toMs: number) => boolean;
}

/**
 * Answers HAProxy's agent checks at once, from the latest snapshots. Each reply names the whole state, operational and
 * administrative, because HAProxy keeps every state that an agent does not mention (`agent-check` in its manual).
 *
 * - Fresh and 200: `up ready 100%`. 100 % is the weight of HAProxy's configuration; a smaller part may be rounded to 0.
 * - Fresh and not 200: `up maint`, or as `agent.standby` says.
 * - Not fresh: `down ready # stale: ...`. HAProxy reads `down` before it acts on `ready`, so the server is not up in between.
 * - Not fresh, but no poll has failed, and this for less than `backend.timeout`: a word that HAProxy logs and that changes
 *   nothing. patroniglue has not asked Patroni yet, because it has just started or stood still itself. HAProxy has no `fall`
 *   for agents: a `down` would end the sessions of a healthy primary. The time in which patroniglue stood still does not
 *   count. If patroniglue stood still for more than half of the time since it asked for the last answer, it ignores failed
 *   polls and the lease guard as well: they come from old answers, and patroniglue has not asked Patroni since.
 * - The client's question cannot be answered: a word that HAProxy logs, too.
 *
 * @param count called with each reply's route and state
 */
export function createAgentHandler(
  { ask, nowMs, pollTimeoutMs, stoodStillMs, wasMostlyStill }: AgentSources,
  count: (route: string, state: AgentState) => void = () => undefined,
): (question: Question, config: Pick<AgentConfig, 'route' | 'standby'>) => AgentReply {
  /** True if there is no fresh answer because patroniglue has not asked, and not because Patroni does not answer. */
  const isNotAsked = (snapshot: Exclude<Snapshot, { kind: 'fresh' }>, now: number): boolean => {
    const { kind, sinceMs, failures } = snapshot;
    if (now - sinceMs - stoodStillMs(sinceMs, now) >= pollTimeoutMs()) return false;
    const hasReason = failures !== undefined || (kind === 'stale' && snapshot.lease !== undefined);
    return !hasReason || wasMostlyStill(kind === 'stale' ? snapshot.sentAtMs : sinceMs, now);
  };
  const replyTo = (target: string, standby: AgentConfig['standby']): AgentReply => {
    const route = canonicalRoute(target);
    if (route === undefined) return unchanged(`not-a-route:${toWord(target)}`);
    const latest = ask(route);
    if (latest === undefined) return down(OTHER_ROUTE, `${route} is not polled, and cache.learn allows no more routes`);
    const now = nowMs();
    const snapshot = readAt(latest, now);
    if (snapshot.kind === 'fresh') {
      const { status } = snapshot.answer;
      if (status === 200) return { route, state: 'up', line: 'up ready 100%' };
      const who = snapshot.witness ? 'the witness says' : 'Patroni answers';
      if (standby === 'down') return { ...down(route, `${who} ${status}`), state: 'standby' };
      return { route, state: 'standby', line: `up ${standby}` };
    }
    if (isNotAsked(snapshot, now)) return unchanged('no-answer-from-Patroni-yet', route);
    return down(route, describeNotFresh(snapshot, now));
  };
  return (question, config) => {
    const target = targetOf(question, config.route);
    const reply = typeof target === 'string' ? replyTo(target, config.standby) : target;
    count(reply.route, reply.state);
    return reply;
  };
}

/** The route that a client asks for, or the reply if its question is malformed. */
function targetOf(question: Question, route: string): string | AgentReply {
  switch (question.kind) {
    case 'nothing':
      return route;
    case 'line': {
      const asked = question.text.trim();
      return asked === '' ? route : asked;
    }
    case 'line-without-end':
      return unchanged(String.raw`line-without-end:agent-send-must-end-with-\n`);
    case 'line-too-long':
      return unchanged('line-too-long');
  }
}

function down(route: string, why: string): AgentReply {
  return { route, state: 'down', line: `down ready # ${why}` };
}

/** A reply of one word that HAProxy does not know: HAProxy logs the word and changes nothing. */
function unchanged(word: string, route = OTHER_ROUTE): AgentReply {
  return { route, state: 'unchanged', line: word };
}

/** Replaces spaces, tabs and commas: they would end the word, and HAProxy might act on the next word. */
function toWord(text: string): string {
  return text.slice(0, 60).replace(/[^\w./?=&%~:+*@!$'();-]/g, '_');
}

import type { AgentConfig } from '../config/types.js';
import { describeUnknown } from '../patroni/snapshot-text.js';
import { canonicalRoute } from '../patroni/routes.js';
import { readAt } from '../patroni/snapshot.js';
import type { AgentReply, AgentState, Question } from './types.js';
import type { Snapshot, CanonicalRoute } from '../patroni/types.js';

/** What replies are made from: reading it never waits. */
interface AgentSources {
  /** As {@link Snapshots.ask} of the front end. */
  readonly ask: (route: CanonicalRoute) => Snapshot | undefined;
  /** The clock of snapshots, in milliseconds. */
  readonly nowMs: () => number;
  /** How long a poll may take, in milliseconds. */
  readonly patienceMs: () => number;
  /** How much of a time patroniglue itself stood still, in milliseconds. */
  readonly stoodStillMs: (fromMs: number, toMs: number) => number;
  /** Whether that is more than half of it. */
  readonly wasMostlyStill: (fromMs: number, toMs: number) => boolean;
}

/** `other` where what is asked is no route. */
const OTHER = 'other';

/**
 * Makes replies to HAProxy's agent checks from the latest snapshots: at once. A reply is the whole state each time, operating
 * and administrative, since HAProxy goes on with whatever an agent does not mention (`agent-check` in its manual).
 *
 * - fresh and 200: `up ready 100%`. The weight is that of the configuration; a part of it can come to 0.
 * - fresh and not 200: `up maint`, or as `agent.standby` says.
 * - not fresh: `down ready # stale: ...`. HAProxy reads `down` before it acts on `ready`, so the server is not up in between.
 * - not fresh, but no poll has failed, for less than a poll may take (`backend.timeout`): a word that HAProxy logs and that changes
 *   nothing. Patroni was not asked yet, since patroniglue has just started, or stood still itself. HAProxy has no `fall` for
 *   agents: either would take the primary down, and its sessions with it. Time in which patroniglue stood still does not count.
 *   Where that is more than half of the time since the last answer was asked for, failed polls and the lease guard do not count
 *   either: what they rest on is old, and what Patroni would have said since then was never asked.
 * - no question that can be answered: such a word, too.
 *
 * @param count told of each reply's route and state
 */
export function createAgentHandler(
  { ask, nowMs, patienceMs, stoodStillMs, wasMostlyStill }: AgentSources,
  count: (route: string, state: AgentState) => void = () => undefined,
): (question: Question, config: Pick<AgentConfig, 'route' | 'standby'>) => AgentReply {
  /** Whether it is patroniglue that has not asked for long enough, and not Patroni that does not answer. */
  const isUnasked = (snapshot: Exclude<Snapshot, { kind: 'fresh' }>, now: number): boolean => {
    const { kind, sinceMs, failures } = snapshot;
    if (now - sinceMs - stoodStillMs(sinceMs, now) >= patienceMs()) return false;
    const hasReason = failures !== undefined || (kind === 'stale' && snapshot.lease !== undefined);
    return !hasReason || wasMostlyStill(kind === 'stale' ? snapshot.sentAtMs : sinceMs, now);
  };
  const replyTo = (target: string, standby: AgentConfig['standby']): AgentReply => {
    const route = canonicalRoute(target);
    if (route === undefined) return complaint(`not-a-route:${asWord(target)}`);
    const latest = ask(route);
    if (latest === undefined) return down(OTHER, `${route} is not polled, and no more routes are learned`);
    const now = nowMs();
    const snapshot = readAt(latest, now);
    if (snapshot.kind === 'fresh') {
      const { status } = snapshot.answer;
      if (status === 200) return { route, state: 'up', line: 'up ready 100%' };
      if (standby === 'down') return { ...down(route, `Patroni says ${status}`), state: 'standby' };
      return { route, state: 'standby', line: `up ${standby}` };
    }
    if (isUnasked(snapshot, now)) return complaint('no-answer-of-Patroni-yet', route);
    return down(route, describeUnknown(snapshot, now));
  };
  return (question, config) => {
    const target = targetOf(question, config.route);
    const reply = typeof target === 'string' ? replyTo(target, config.standby) : target;
    count(reply.route, reply.state);
    return reply;
  };
}

/** What is asked, or what is to be said where nothing can be. */
function targetOf(question: Question, route: string): string | AgentReply {
  switch (question.kind) {
    case 'nothing':
      return route;
    case 'line': {
      const asked = question.text.trim();
      return asked === '' ? route : asked;
    }
    case 'line-without-end':
      return complaint(String.raw`line-without-end:agent-send-must-end-with-\n`);
    case 'line-too-long':
      return complaint('line-too-long');
  }
}

function down(route: string, why: string): AgentReply {
  return { route, state: 'down', line: `down ready # ${why}` };
}

/** One word that is none of HAProxy's: it is reported, and changes nothing. */
function complaint(word: string, route = OTHER): AgentReply {
  return { route, state: 'unchanged', line: word };
}

/** Spaces, tabs and commas would end the word, and what follows them might be one of HAProxy's. */
function asWord(text: string): string {
  return text.slice(0, 60).replace(/[^\w./?=&%~:+*@!$'();-]/g, '_');
}

import { type BehaviorSubject, type Observable, type SchedulerLike, filter, map, tap } from 'rxjs';
import type { Config } from '../config/types.js';
import { MAX_PARSED_BYTES, jsonObject, objectIn } from '../patroni/json-body.js';
import type { Answer } from '../patroni/types.js';
import { addressOf, ofEachUpstream } from './each-upstream.js';
import type { Polling } from './polling.js';

/** How long a member is remembered after its last answer, and how long a warning stays in force, in milliseconds. */
const REMEMBERED_MS = 10 * 60_000;

/** The most members that are remembered: answers may name any number of members. */
const MOST_MEMBERS = 16;

/** The most characters of a name in a warning. */
const MOST_CHARACTERS = 80;

/** Notices when the upstream answers as different members of a cluster: then a 200 may come from another node. */
export interface MemberWatch {
  /** What is wrong now, in a sentence. */
  warning(): string | undefined;
  /** Emits what is wrong, each time an answer shows it. Never errors. */
  readonly warning$: Observable<string>;
}

/** Watches the answers of the upstream in force. Forgets all members when `backend.host` or `backend.port` changes. */
export function createMemberWatch(
  config$: BehaviorSubject<Config>,
  answered$: Polling['answered$'],
  scheduler: SchedulerLike,
): MemberWatch {
  let found: { readonly warning: string; readonly atMs: number } | undefined;
  return {
    warning: () => (found && scheduler.now() - found.atMs < REMEMBERED_MS ? found.warning : undefined),
    warning$: ofEachUpstream(config$, addressOf, () => {
      found = undefined;
      const compare = createMemberComparison(scheduler);
      return answered$.pipe(
        map(({ answer }) => compare(answer)),
        filter((warning) => warning !== undefined),
        tap((warning) => {
          found = { warning, atMs: scheduler.now() };
        }),
      );
    }),
  };
}

/** What is wrong with answers that came at the same time, in a sentence; `undefined` if one member gave them all. */
export function memberWarning(answers: readonly Answer[]): string | undefined {
  const members = answers.map(memberIn).filter((member) => member !== undefined);
  const [first, ...others] = members;
  const other = others.find(({ text }) => text !== first?.text);
  return first && other && membersWarning(first, other);
}

/** The member of the cluster that gave an answer. */
interface Member {
  /** `node1`, or its PostgreSQL's system identifier and start time. */
  readonly text: string;
  /** True if `text` is the member's name in Patroni, which a restart of PostgreSQL does not change. */
  readonly isName: boolean;
}

/**
 * Compares the member of each answer with that of the answer before. A different name means a different member. Patroni
 * before 3.2 does not say its name: then a new start time may come from a restart of PostgreSQL, but an earlier start time
 * that returns means a different member.
 */
function createMemberComparison(scheduler: SchedulerLike): (answer: Answer) => string | undefined {
  const seenAtMs = new Map<string, number>();
  let latest: Member | undefined;
  return (answer) => {
    const member = memberIn(answer);
    if (member === undefined) return undefined;
    const nowMs = scheduler.now();
    const before = latest;
    const wasSeen = nowMs - (seenAtMs.get(member.text) ?? -Infinity) < REMEMBERED_MS;
    seenAtMs.delete(member.text);
    seenAtMs.set(member.text, nowMs); // move it to the end of the map, so that the oldest member is the first
    for (const text of [...seenAtMs.keys()].slice(0, -MOST_MEMBERS)) seenAtMs.delete(text);
    latest = member;
    if (before === undefined || before.text === member.text || before.isName !== member.isName) return undefined;
    return member.isName || wasSeen ? membersWarning(before, member) : undefined;
  };
}

/** From `patroni.name` (3.2 and later), or `database_system_identifier` and `postmaster_start_time` (`patroni/api.py`). */
function memberIn({ body }: Answer): Member | undefined {
  if (body.length > MAX_PARSED_BYTES) return undefined;
  const said = jsonObject(body) ?? {};
  const { scope, name } = objectIn(said['patroni']);
  if (typeof name === 'string' && name !== '') {
    const text = typeof scope === 'string' && scope !== '' ? `${scope}/${name}` : name;
    return { text: text.slice(0, MOST_CHARACTERS), isName: true };
  }
  const { database_system_identifier: system, postmaster_start_time: start } = said;
  if (typeof system !== 'string' || typeof start !== 'string') return undefined; // for example, PostgreSQL does not run
  return { text: `${system}, started ${start}`.slice(0, MOST_CHARACTERS), isName: false };
}

function membersWarning(one: Member, other: Member): string {
  return (
    `backend.host: Patroni answers as different members (${one.text}; ${other.text}): a 200 may come from another node; ` +
    "write the address of this node's Patroni"
  );
}

import {
  type BehaviorSubject,
  type Observable,
  type SchedulerLike,
  distinctUntilChanged,
  filter,
  map,
  switchMap,
  tap,
} from 'rxjs';
import type { Config } from '../config/types.js';
import type { Polling } from './polling.js';
import { jsonObject, objectIn } from '../patroni/json-body.js';
import type { Answer } from '../patroni/types.js';

/** A member that answered within this time is remembered, and a warning stands for as long, in milliseconds. */
const REMEMBERED_MS = 10 * 60_000;

/** At most so many members are remembered: the answers may be anything. */
const MOST_MEMBERS = 16;

/** A longer body is not looked through: Patroni's health answers have some kilobytes. */
const MOST_BYTES = 65_536;

/** So much of a name is told. */
const MOST_CHARACTERS = 80;

/** Notices when the upstream answers as different members of a cluster: one node's 200 may then stand for another's. */
export interface MemberWatch {
  /** What is wrong now, in a sentence. */
  warning(): string | undefined;
  /** Emits what is wrong, each time that an answer shows it. Never errors. */
  readonly warning$: Observable<string>;
}

/** Watches the answers of the upstream in force; another `backend.host` or `backend.port` begins anew. */
export function createMemberWatch(
  config$: BehaviorSubject<Config>,
  answered$: Polling['answered$'],
  scheduler: SchedulerLike,
): MemberWatch {
  let found: { readonly warning: string; readonly atMs: number } | undefined;
  return {
    warning: () => (found && scheduler.now() - found.atMs < REMEMBERED_MS ? found.warning : undefined),
    warning$: config$.pipe(
      map(({ backend }) => `${backend.host}:${backend.port}`),
      distinctUntilChanged(),
      // switchMap: what another upstream said is of no use
      switchMap(() => {
        found = undefined;
        const tellApart = createTellApart(scheduler);
        return answered$.pipe(map(({ answer }) => tellApart(answer)));
      }),
      filter((warning) => warning !== undefined),
      tap((warning) => {
        found = { warning, atMs: scheduler.now() };
      }),
    ),
  };
}

/** What is wrong with answers that came at the same time, in a sentence; `undefined` where they are of one member. */
export function memberWarning(answers: readonly Answer[]): string | undefined {
  const members = answers.map(memberIn).filter((member) => member !== undefined);
  const [first, ...others] = members;
  const other = others.find(({ text }) => text !== first?.text);
  return first && other && sentenceOf(first, other);
}

/** Who answered. */
interface Member {
  /** `node1`, or its PostgreSQL's system identifier and start. */
  readonly text: string;
  /** The name is Patroni's own, which another start of PostgreSQL does not change. */
  readonly isName: boolean;
}

/**
 * Tells the members of one answer after another apart. Another name is another member. Where Patroni does not say its name
 * (before 3.2) another start of PostgreSQL may be a restart; an earlier start that is back is another member.
 */
function createTellApart(scheduler: SchedulerLike): (answer: Answer) => string | undefined {
  const seenAtMs = new Map<string, number>();
  let latest: Member | undefined;
  return (answer) => {
    const member = memberIn(answer);
    if (member === undefined) return undefined;
    const nowMs = scheduler.now();
    const before = latest;
    const wasSeen = nowMs - (seenAtMs.get(member.text) ?? -Infinity) < REMEMBERED_MS;
    seenAtMs.delete(member.text);
    seenAtMs.set(member.text, nowMs); // the last of the map: the first is the oldest
    for (const text of [...seenAtMs.keys()].slice(0, -MOST_MEMBERS)) seenAtMs.delete(text);
    latest = member;
    if (before === undefined || before.text === member.text || before.isName !== member.isName) return undefined;
    return member.isName || wasSeen ? sentenceOf(before, member) : undefined;
  };
}

/** From `patroni.name` (3.2 and later), or `database_system_identifier` and `postmaster_start_time` (`patroni/api.py`). */
function memberIn({ body }: Answer): Member | undefined {
  if (body.length > MOST_BYTES) return undefined;
  const said = jsonObject(body) ?? {};
  const { scope, name } = objectIn(said['patroni']);
  if (typeof name === 'string' && name !== '') {
    const text = typeof scope === 'string' && scope !== '' ? `${scope}/${name}` : name;
    return { text: text.slice(0, MOST_CHARACTERS), isName: true };
  }
  const { database_system_identifier: system, postmaster_start_time: start } = said;
  if (typeof system !== 'string' || typeof start !== 'string') return undefined; // PostgreSQL does not run, say
  return { text: `${system}, started ${start}`.slice(0, MOST_CHARACTERS), isName: false };
}

function sentenceOf(one: Member, other: Member): string {
  return (
    `backend.host: Patroni answers as different members (${one.text}; ${other.text}): a 200 may be that of another node; ` +
    "write the address of this node's Patroni"
  );
}

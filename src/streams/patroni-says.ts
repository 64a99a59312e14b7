import { type Observable, type SchedulerLike, Subject } from 'rxjs';
import { MAX_PARSED_BYTES } from '../patroni/json-body.js';
import { isByPatroni } from '../patroni/recognition.js';
import { partsOf } from '../patroni/routes.js';
import type { Answer, CanonicalRoute } from '../patroni/types.js';
import { type PatroniSays, saidIn } from '../witness/agreement.js';
import { isWitnessed } from '../witness/verdict.js';

/** What Patroni says of its node, for comparison with the witness. */
export interface SaidByPatroni {
  /** Must be called with each answer. One that Patroni has not written is not heard. */
  readonly hear: (route: CanonicalRoute, answer: Answer) => void;
  /** Emits with each answer that tells something. */
  readonly heard$: Observable<void>;
  /** What the answers since that moment say, by the scheduler's clock. */
  readonly since: (fromMs: number) => PatroniSays;
  /** What does not change while Patroni runs: the name of its node, and the system identifier. */
  readonly identity: () => PatroniSays;
  /** Forgets all, when the upstream changes. */
  readonly forget: () => void;
}

/** Nothing is parsed until somebody asks. */
export function createSaidByPatroni(scheduler: SchedulerLike): SaidByPatroni {
  const latest = new Map<string, { readonly answer: Answer; readonly atMs: number }>();
  const heard$ = new Subject<void>();
  let identity: PatroniSays = {};
  const since = (fromMs: number): PatroniSays => {
    const recent = [...latest].filter(([, { atMs }]) => atMs >= fromMs).sort(([, a], [, b]) => a.atMs - b.atMs);
    const said = Object.assign({}, ...recent.map(([path, { answer }]) => saidIn(path, answer))) as PatroniSays;
    const { name = identity.name, systemIdentifier = identity.systemIdentifier } = said;
    identity = { ...(name !== undefined && { name }), ...(systemIdentifier !== undefined && { systemIdentifier }) };
    return { ...said, ...identity };
  };
  return {
    hear(route, answer) {
      if (!isWitnessed(route) || answer.body.length > MAX_PARSED_BYTES) return;
      if (isByPatroni({ route, answer }) === false) return; // or the witness would agree with another program
      latest.set(partsOf(route).path, { answer, atMs: scheduler.now() });
      heard$.next();
    },
    heard$: heard$.asObservable(),
    since,
    identity() {
      since(-Infinity);
      return identity;
    },
    forget() {
      latest.clear();
      identity = {};
    },
  };
}

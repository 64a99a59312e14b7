import { type BehaviorSubject, type Observable, type SchedulerLike, filter, map, tap } from 'rxjs';
import type { Config } from '../config/types.js';
import { origin } from '../network/authority.js';
import { foreignRemedy, foreignText, isByPatroni } from '../patroni/recognition.js';
import { partsOf } from '../patroni/routes.js';
import { ofEachUpstream } from './each-upstream.js';
import type { Polling } from './polling.js';

/**
 * For how long answers of something else are no news after one of Patroni's own, in milliseconds: a proxy may replace the
 * 503s of some routes, or answer in place of a Patroni that restarts.
 */
const KNOWN_MS = 60_000;

/** Notices when something else than Patroni answers the polls. What checks get does not depend on it. */
export interface RecognitionWatch {
  /** What is wrong now, in a sentence. */
  warning(): string | undefined;
  /** Emits what is wrong, once until Patroni answers. Never errors. */
  readonly warning$: Observable<string>;
}

/** Watches the answers of the upstream in force. A new `backend.host`, `backend.port` or `backend.scheme` begins anew. */
export function createRecognitionWatch(
  config$: BehaviorSubject<Config>,
  answered$: Polling['answered$'],
  scheduler: SchedulerLike,
): RecognitionWatch {
  let found: string | undefined;
  return {
    warning: () => found,
    warning$: ofEachUpstream(config$, origin, (upstream) => {
      found = undefined;
      let knownAtMs = -Infinity;
      // By path: a client may ask for any number of queries. The second answer counts: other routes had time to answer
      const foreign = new Set<string>();
      return answered$.pipe(
        map((polled) => {
          const { path } = partsOf(polled.route);
          const isOurs = isByPatroni(polled);
          if (isOurs === undefined) return undefined;
          if (isOurs) {
            knownAtMs = scheduler.now();
            foreign.clear();
            found = undefined;
            return undefined;
          }
          const isNews = foreign.has(path) && found === undefined && scheduler.now() - knownAtMs >= KNOWN_MS;
          foreign.add(path);
          if (!isNews) return undefined;
          return `backend.host: ${foreignText(upstream, [polled])}, and checks get this: ${foreignRemedy([polled])}`;
        }),
        filter((warning) => warning !== undefined),
        tap((warning) => {
          found = warning;
        }),
      );
    }),
  };
}

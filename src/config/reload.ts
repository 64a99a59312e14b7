import { type Observable, type SchedulerLike, concatMap, defer, filter, finalize, from, map, merge, timer } from 'rxjs';
import { loadConfig, reloadFiles } from './load.js';
import type { LoadedConfig, Reload } from './types.js';

/** When to reload, and how. */
export interface ReloadOptions {
  /** The configuration in force. */
  readonly initial: LoadedConfig;
  /** Emits when patroniglue must read the configuration again. */
  readonly asked$: Observable<unknown>;
  /** How often patroniglue checks the PEM files without a signal, in milliseconds: ACME clients may not send one. */
  readonly watchEveryMs: number;
  /** Puts a configuration in force. If the promise rejects, the former configuration stays in force. */
  readonly apply: (after: LoadedConfig) => Promise<void>;
  readonly scheduler: SchedulerLike;
  /** Replaced in tests. */
  readonly load?: typeof loadConfig;
  readonly reload?: typeof reloadFiles;
}

/**
 * Reads the configuration again at each request, reads the PEM files again at regular times, and puts the result in force if
 * there is a change. One after another. Never errors: if patroniglue cannot read or apply the new configuration, it refuses
 * it, and the former one stays in force.
 */
export function reloads(options: ReloadOptions): Observable<Reload> {
  const { initial, asked$, watchEveryMs, apply, scheduler, load = loadConfig, reload = reloadFiles } = options;
  return defer(() => {
    let current = initial;
    let isBusy = false;
    const tryReload = async (read: () => Promise<LoadedConfig | undefined>): Promise<Reload> => {
      try {
        const after = await read();
        if (after === undefined) return { kind: 'unchanged' };
        await apply(after);
        const before = current;
        current = after;
        return { kind: 'accepted', before, after };
      } catch (cause) {
        return { kind: 'refused', cause };
      }
    };
    const fileCheck$ = timer(watchEveryMs, watchEveryMs, scheduler).pipe(
      filter(() => !isBusy), // if a disk hangs, the waiting reads must not pile up
      map(() => () => reload(current)),
    );
    return merge(asked$.pipe(map(() => () => load(current.file, current))), fileCheck$).pipe(
      // concatMap: a second signal may mean a second edit
      concatMap((read) => {
        isBusy = true;
        return from(tryReload(read)).pipe(finalize(() => (isBusy = false)));
      }),
    );
  });
}

import { type Observable, type SchedulerLike, concatMap, defer, filter, finalize, from, map, merge, timer } from 'rxjs';
import { loadConfig, reloadFiles } from './load.js';
import type { LoadedConfig, Reload } from './types.js';

/** When to reload, and how. */
export interface ReloadOptions {
  /** The configuration in force. */
  readonly initial: LoadedConfig;
  /** Emits when the configuration shall be read again. */
  readonly asked$: Observable<unknown>;
  /** How often the PEM files are looked at without being asked, in milliseconds: ACME clients forget to tell. */
  readonly watchEveryMs: number;
  /** Puts a configuration in force; where it rejects, the former one is still in force. */
  readonly apply: (after: LoadedConfig) => Promise<void>;
  readonly scheduler: SchedulerLike;
  /** Replaced in tests. */
  readonly load?: typeof loadConfig;
  readonly reload?: typeof reloadFiles;
}

/**
 * Reads the configuration again when asked, and its PEM files alone when they have changed, and puts it in force: one after
 * another. Never errors: what cannot be read or applied is refused, and the former configuration stays.
 */
export function reloads(options: ReloadOptions): Observable<Reload> {
  const { initial, asked$, watchEveryMs, apply, scheduler, load = loadConfig, reload = reloadFiles } = options;
  return defer(() => {
    let current = initial;
    let isBusy = false;
    const takeOver = async (read: () => Promise<LoadedConfig | undefined>): Promise<Reload> => {
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
    const look$ = timer(watchEveryMs, watchEveryMs, scheduler).pipe(
      filter(() => !isBusy), // a disk that hangs shall not be asked ever more
      map(() => () => reload(current)),
    );
    return merge(asked$.pipe(map(() => () => load(current.file, current))), look$).pipe(
      // concatMap: a second signal may tell of a second edit
      concatMap((read) => {
        isBusy = true;
        return from(takeOver(read)).pipe(finalize(() => (isBusy = false)));
      }),
    );
  });
}

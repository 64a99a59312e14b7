import { type Observable, distinctUntilChanged, map, switchMap } from 'rxjs';
import type { Config } from '../config/types.js';
import { authority } from '../network/authority.js';

/**
 * What `watch` emits about the upstream in force. It begins anew when a reload changes the upstream: what the former one said
 * does not matter then.
 *
 * @param nameOf two upstreams with the same name are the same one
 */
export function ofEachUpstream<T>(
  config$: Observable<Config>,
  nameOf: (backend: Config['backend']) => string,
  watch: (name: string) => Observable<T>,
): Observable<T> {
  return config$.pipe(
    map(({ backend }) => nameOf(backend)),
    distinctUntilChanged(),
    switchMap(watch), // switchMap: ends the watch of the former upstream
  );
}

/** Names an upstream by its address alone. */
export function addressOf({ host, port }: Config['backend']): string {
  return authority(host, port);
}

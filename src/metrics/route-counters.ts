/** How often something happened, by route and by one more key: a status, or an outcome. */
export interface RouteCounters<Key> {
  /** Adds 1. Cheap, because every check calls it. */
  readonly count: (route: string, key: Key) => void;
  /** Drops the counts of a route that is no longer polled. Otherwise a client that varies its query would fill the memory. */
  forget(route: string): void;
  /** All counts. */
  entries(): readonly { readonly route: string; readonly key: Key; readonly count: number }[];
}

/** Counts from 0. */
export function createRouteCounters<Key>(): RouteCounters<Key> {
  const routes = new Map<string, Map<Key, number>>();
  return {
    count(route, key) {
      let counts = routes.get(route);
      if (counts === undefined) {
        counts = new Map();
        routes.set(route, counts);
      }
      counts.set(key, (counts.get(key) ?? 0) + 1);
    },
    forget(route) {
      routes.delete(route);
    },
    entries: () => [...routes].flatMap(([route, counts]) => [...counts].map(([key, count]) => ({ route, key, count }))),
  };
}

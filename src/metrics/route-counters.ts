/** How often something happened, by route and by one more key: a status, or an outcome. */
export interface RouteCounters<Key> {
  /** Adds 1. Cheap, because every check calls it. */
  readonly count: (route: string, key: Key) => void;
  /** From now on the count is in the list, with 0 at first: Prometheus sees no increase in a count that appears with 1. */
  begin(route: string, key: Key): void;
  /** Drops the counts of a route that is no longer polled. Otherwise a client that varies its query would fill the memory. */
  forget(route: string): void;
  /** All counts. */
  entries(): readonly { readonly route: string; readonly key: Key; readonly count: number }[];
}

/** Counts from 0. */
export function createRouteCounters<Key>(): RouteCounters<Key> {
  const routes = new Map<string, Map<Key, number>>();
  const add = (route: string, key: Key, by: number): void => {
    let counts = routes.get(route);
    if (counts === undefined) {
      counts = new Map();
      routes.set(route, counts);
    }
    counts.set(key, (counts.get(key) ?? 0) + by);
  };
  return {
    count(route, key) {
      add(route, key, 1);
    },
    begin(route, key) {
      add(route, key, 0);
    },
    forget(route) {
      routes.delete(route);
    },
    entries: () => [...routes].flatMap(([route, counts]) => [...counts].map(([key, count]) => ({ route, key, count }))),
  };
}

/** How often something happened, by route and one thing more: a status, an outcome. */
export interface Counts<Key> {
  /** Once more. Cheap: it is done for every check. */
  readonly count: (route: string, key: Key) => void;
  /** The route is no more: what varies its query must not fill the memory. */
  forget(route: string): void;
  /** Everything that was counted. */
  entries(): readonly { readonly route: string; readonly key: Key; readonly count: number }[];
}

/** Counts from 0. */
export function createCounts<Key>(): Counts<Key> {
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

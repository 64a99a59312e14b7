import { Counter, type Registry } from 'prom-client';
import type { RouteCounters } from './route-counters.js';

/** Registers a counter whose values are kept in `counts`, by route and one more label. */
export function registerCounts<Key>(
  registry: Registry,
  name: string,
  help: string,
  label: string,
  counts: RouteCounters<Key>,
): void {
  new Counter({
    name,
    help,
    labelNames: ['route', label],
    registers: [registry],
    collect() {
      this.reset();
      for (const { route, key, count } of counts.entries()) this.inc({ route, [label]: String(key) }, count);
    },
  });
}

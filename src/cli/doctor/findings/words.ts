import { valueIn } from '../series.js';
import { planOf } from '../../../streams/poll-settings.js';
import type { Facts } from '../types.js';

/** For how long the service runs, in seconds; `undefined` if it does not say it. */
export function uptimeS({ service, nowMs }: Pick<Facts, 'service' | 'nowMs'>): number | undefined {
  const startS = service.kind === 'answers' ? valueIn(service.series, 'process_start_time_seconds') : undefined;
  return startS === undefined ? undefined : Math.max(0, nowMs / 1000 - startS);
}

/** `12 s`, `3 min`, `2 h`, `5 days`. */
export function spanText(spanS: number): string {
  if (spanS < 120) return `${Math.round(spanS)} s`;
  if (spanS < 7200) return `${Math.round(spanS / 60)} min`;
  return spanS < 172_800 ? `${Math.round(spanS / 3600)} h` : `${Math.round(spanS / 86_400)} days`;
}

/** What to do if a server has an agent check alone. */
export const AGENT_REMEDY =
  'Add `check` and `option httpchk` beside `agent-check`, as in examples/haproxy-agent.cfg, then reload HAProxy.';

/**
 * What checks of the prefetched routes get from the running service: `200 for /primary; 503 for /replica`, and whether the
 * witness says so. `undefined` if the service does not tell.
 */
export function repliesText({ config, service }: Pick<Facts, 'config' | 'service'>): string | undefined {
  if (service.kind === 'silent') return undefined;
  const { series } = service;
  const of = (name: string, route: string): number | undefined =>
    series.find((one) => one.name === name && one.labels['route'] === route)?.value;
  const routesOf = new Map<number, string[]>();
  for (const route of new Set(planOf(config).prefetched)) {
    const fresh = of('patroniglue_snapshot_fresh', route);
    if (fresh === undefined) return undefined;
    const status = (fresh === 1 ? of('patroniglue_snapshot_status', route) : undefined) ?? 503;
    routesOf.set(status, [...(routesOf.get(status) ?? []), route]);
  }
  const replies = [...routesOf].map(([status, routes]) => `${status} for ${routes.join(', ')}`).join('; ');
  return `${replies}${valueIn(series, 'patroniglue_witness_active') === 1 ? ', by the witness' : ''}`;
}

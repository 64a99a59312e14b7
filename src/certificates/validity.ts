import type { X509Certificate } from 'node:crypto';

/** From when to when a certificate is valid, by the wall clock: milliseconds since 1970. */
export interface Validity {
  readonly fromMs: number;
  readonly toMs: number;
}

/** From when to when a certificate is valid. */
export function validityOf({ validFrom, validTo }: Pick<X509Certificate, 'validFrom' | 'validTo'>): Validity {
  return { fromMs: Date.parse(validFrom), toMs: Date.parse(validTo) };
}

/** How near a certificate is to its end: 0 far, 1 near, 2 very near, 3 expired. */
type Nearness = 0 | 1 | 2 | 3;

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/**
 * When an end is near and very near: 30 and 7 days before it. If a certificate lives for less than 90 days, as those of ACME
 * do, it is renewed later: then a third and a tenth of its life.
 */
function spansOf({ fromMs, toMs }: Validity): { readonly nearMs: number; readonly veryNearMs: number } {
  const lifeMs = toMs - fromMs;
  return { nearMs: Math.min(30 * DAY_MS, lifeMs / 3), veryNearMs: Math.min(7 * DAY_MS, lifeMs / 10) };
}

/** How near a certificate is to its end at `nowMs`. */
function nearnessAt(validity: Validity, nowMs: number): Nearness {
  const leftMs = validity.toMs - nowMs;
  const { nearMs, veryNearMs } = spansOf(validity);
  if (leftMs < 0) return 3;
  if (leftMs < veryNearMs) return 2;
  return leftMs < nearMs ? 1 : 0;
}

/**
 * `ends on 2026-12-20T10:00:00Z, in less than 30 days`, to follow the certificate's name; `undefined` while the end is far.
 * The text stays true as time passes.
 */
export function describeEnd(validity: Validity, nowMs: number): string | undefined {
  const on = formatDate(validity.toMs);
  const { nearMs, veryNearMs } = spansOf(validity);
  switch (nearnessAt(validity, nowMs)) {
    case 0:
      return undefined;
    case 1:
      return `ends on ${on}, in less than ${describeSpan(nearMs)}`;
    case 2:
      return `ends on ${on}, in less than ${describeSpan(veryNearMs)}`;
    case 3:
      return `expired on ${on}`;
  }
}

/** `2026-12-20T10:00:00Z` */
export function formatDate(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}

function describeSpan(ms: number): string {
  const [count, unit] = ms >= 2 * DAY_MS ? [Math.ceil(ms / DAY_MS), 'days'] : [Math.ceil(ms / HOUR_MS), 'hours'];
  return count === 1 ? 'an hour' : `${count} ${unit}`;
}

/** Linux's CLOCK_MONOTONIC in milliseconds: the same in every process, so that moments can be compared between them. */
export function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

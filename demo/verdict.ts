import type { AnsweredPoll } from './polls.js';
import { type Recording, count, isNoReply, isStatus, times } from './recording.js';
import type { Check } from './sampler.js';
import { intervalMs, ttlMs } from './stage.js';
import type { Style } from './style.js';
import { duration } from './view.js';

/** Something that patroniglue promises, and whether it was so. */
export interface Claim {
  readonly holds: boolean;
  readonly text: string;
}

/** Timestamps in the log are whole milliseconds, and clocks are read one after the other. */
const CLOCK_SLACK_MS = 5;
/** A reply that makes no load balancer wait, on a machine that also runs all the rest. */
const AT_ONCE_MS = 500;
/** For Patroni to wake up, and from one check to the next. */
const WAKE_UP_MS = 700;

/** Checks the promises, one claim per line. The recording must be complete. */
export function judge(recording: Recording, polls: readonly AnsweredPoll[], node: string): readonly Claim[] {
  const { played, direct, glue, server } = recording;
  const starts = played.map(({ startedAtMs }) => startedAtMs);
  const [healthy = NaN, short = NaN, between = NaN, long = NaN, thaw = NaN] = starts;
  const from = (samples: readonly Check[], fromMs: number, toMs: number): readonly Check[] =>
    samples.filter(({ startedAtMs }) => startedAtMs >= fromMs && startedAtMs < toMs);
  const statesIn = (fromMs: number, toMs: number): readonly (string | undefined)[] =>
    (server ?? []).filter(({ end }) => end && end.atMs >= fromMs && end.atMs < toMs).map(({ end }) => end?.value);
  const isUp = (status: string | undefined): boolean => status?.startsWith('UP') === true;

  const hungShort = count(from(direct, short, between), isNoReply);
  const hungLong = count(from(direct, long, thaw), isNoReply);
  const slowest = Math.max(...times(glue));
  const upToLong = from(glue, healthy, long);
  const last = lastGiven(glue, polls, thaw);
  const back = glue.find(({ startedAtMs, end }) => startedAtMs >= thaw && end && isStatus(200)(end.value))?.end?.atMs;
  const backAfter = (back ?? NaN) - thaw;
  const wasDown = statesIn(long, thaw).some((status) => !isUp(status));

  return [
    {
      holds: hungShort > 0 && hungLong > 0,
      text: `Patroni, directly: ${hungShort + hungLong} checks got no reply`,
    },
    {
      holds: count(glue, isNoReply) === 0 && slowest < AT_ONCE_MS,
      text: `patroniglue: a reply to every check, the slowest after ${duration(slowest)}`,
    },
    {
      holds: count(upToLong, isStatus(200)) === upToLong.length,
      text: `frozen for ${duration(between - short)}, less than the ttl (${duration(ttlMs)}): 200 all the time`,
    },
    {
      holds: last !== undefined && last.ageMs <= ttlMs + CLOCK_SLACK_MS && last.then503,
      text: `frozen for ${duration(thaw - long)}: the last 200 ${duration(last?.ageMs ?? NaN)} after the last good poll, then 503`,
    },
    {
      holds: backAfter <= intervalMs + WAKE_UP_MS,
      text: `thawed: 200 again after ${duration(backAfter)} (patroniglue asks every ${duration(intervalMs)})`,
    },
    ...(server
      ? [
          {
            holds:
              statesIn(healthy, long).every(isUp) && wasDown && isUp(server.findLast(({ end }) => end)?.end?.value),
            text: `HAProxy: ${node} stayed UP in the short freeze, DOWN in the long one, UP again`,
          },
        ]
      : []),
  ];
}

/** The last 200 before the thaw: the age of its poll when the check came, and whether all later checks got 503. */
function lastGiven(
  glue: readonly Check[],
  polls: readonly AnsweredPoll[],
  thawMs: number,
): { readonly ageMs: number; readonly then503: boolean } | undefined {
  const frozen = glue.filter(({ startedAtMs, end }) => end && startedAtMs < thawMs && end.atMs < thawMs);
  const index = frozen.findLastIndex(({ end }) => end && isStatus(200)(end.value));
  const poll = polls.findLast(({ answeredAtMs }) => answeredAtMs < thawMs);
  const last = frozen[index];
  if (!last || !poll) return undefined;
  const after = frozen.slice(index + 1);
  return {
    ageMs: last.startedAtMs - poll.sentAtMs,
    then503: after.length > 0 && count(after, isStatus(503)) === after.length,
  };
}

/** The figures and the claims, for people. */
export function summary(recording: Recording, claims: readonly Claim[], style: Style): readonly string[] {
  const right = (...words: readonly string[]): string => words.map((word) => word.padStart(10)).join('');
  const figures = (label: string, checks: readonly Check[]): string => {
    const took = times(checks);
    const [median, p99, max] = [0.5, 0.99, 1].map((share) => duration(percentile(took, share)));
    const numbers = [String(checks.length), String(count(checks, isNoReply))];
    return label.padEnd(20) + right(...numbers, median ?? '', p99 ?? '', max ?? '');
  };
  return [
    style.bold(''.padEnd(20) + right('checks', 'no reply', 'median', 'p99', 'slowest')),
    figures('Patroni, directly', recording.direct),
    figures('patroniglue', recording.glue),
    '',
    ...claims.map(({ holds, text }) => `${holds ? style.good(style.tick) : style.bad(style.cross)} ${text}`),
  ];
}

/** By nearest rank. */
function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN;
}

import type { AnsweredPoll } from './polls.js';
import { timings } from './patroni.js';
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
/** From the moment at which a freeze counts to the signal's arrival. */
const SIGNAL_MS = 100;
/**
 * How long after a freeze of all of Patroni the witness gives a 200 at the most: ttl - loop_wait - retry_timeout before the
 * leader key can lapse, and with that before another node can be promoted.
 */
const LAST_MS = (timings.loop_wait + timings.retry_timeout) * 1000;

/** Checks the promises, one claim per line. The recording must be complete. */
export function judge(recording: Recording, polls: readonly AnsweredPoll[], node: string): readonly Claim[] {
  const { played, direct, glue, witnessed, server, witnessedServer } = recording;
  const starts = played.map(({ startedAtMs }) => startedAtMs);
  const [healthy = NaN, short = NaN, between = NaN, long = NaN, thaw = NaN, api = NaN, end = NaN] = starts;
  const from = (samples: readonly Check[], fromMs: number, toMs: number): readonly Check[] =>
    samples.filter(({ startedAtMs }) => startedAtMs >= fromMs && startedAtMs < toMs);
  const statesIn = (states: Recording['server'], fromMs: number, toMs: number): readonly (string | undefined)[] =>
    (states ?? []).flatMap((one) => (one.end && one.end.atMs >= fromMs && one.end.atMs < toMs ? [one.end.value] : []));
  const isUp = (status: string | undefined): boolean => status?.startsWith('UP') === true;

  const hungShort = count(from(direct, short, between), isNoReply);
  const hungLong = count(from(direct, long, thaw), isNoReply);
  const hungApi = count(from(direct, api, end), isNoReply);
  const ours = [...glue, ...witnessed];
  const slowest = Math.max(...times(ours));
  const upToLong = from(ours, healthy, long);
  const last = lastGiven(glue, polls, thaw);
  const lastWitnessed = lastIn(from(witnessed, long, thaw), thaw);
  const lastWitnessedMs = (lastWitnessed?.check.startedAtMs ?? NaN) - long;
  const back = glue.find((one) => one.startedAtMs >= thaw && one.end && isStatus(200)(one.end.value))?.end?.atMs;
  const backAfter = (back ?? NaN) - thaw;
  const isDownIn = (states: Recording['server'], fromMs: number, toMs: number): boolean =>
    statesIn(states, fromMs, toMs).some((status) => !isUp(status));
  const isUpAt = (states: Recording['server'], toMs: number): boolean =>
    isUp(states?.findLast((one) => one.end && one.end.atMs < toMs)?.end?.value);
  const lastInApi = lastGiven(glue, polls, end);
  const inApi = from(witnessed, api, Infinity);
  const isUpInApi = server !== undefined && isUpAt(witnessedServer, api) && !isDownIn(witnessedServer, api, Infinity);

  return [
    {
      holds: hungShort > 0 && hungLong > 0 && hungApi > 0,
      text: `Patroni, directly: ${hungShort + hungLong + hungApi} checks got no reply`,
    },
    {
      holds: count(ours, isNoReply) === 0 && slowest < AT_ONCE_MS,
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
      holds: lastWitnessedMs <= LAST_MS + SIGNAL_MS && lastWitnessed?.then503 === true,
      text: `with the witness: the last 200 after ${duration(lastWitnessedMs)} (at most ${duration(LAST_MS)}), then 503`,
    },
    {
      holds: backAfter <= intervalMs + WAKE_UP_MS,
      text: `thawed: 200 again after ${duration(backAfter)} (patroniglue asks every ${duration(intervalMs)})`,
    },
    ...(server
      ? [
          {
            holds: !isDownIn(server, healthy, long) && isDownIn(server, long, thaw) && isUpAt(server, api),
            text: `HAProxy: ${node} stayed UP in the short freeze, DOWN in the long one, UP again`,
          },
        ]
      : []),
    {
      holds: lastInApi !== undefined && lastInApi.ageMs <= ttlMs + CLOCK_SLACK_MS && lastInApi.then503,
      text: `only the API frozen, for ${duration(end - api)}: the last 200 ${duration(lastInApi?.ageMs ?? NaN)} after the last good poll`,
    },
    {
      holds: inApi.length > 0 && count(inApi, isStatus(200)) === inApi.length,
      text: 'in that freeze, with the witness: 200 all the time',
    },
    ...(server
      ? [
          {
            holds: isDownIn(server, api, end) && isUpAt(server, Infinity) && isUpInApi,
            text: `HAProxy, in that freeze: ${node} DOWN; with the witness UP all the time`,
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
  const last = lastIn(glue, thawMs);
  const poll = polls.findLast(({ answeredAtMs }) => answeredAtMs < thawMs);
  return last && poll && { ageMs: last.check.startedAtMs - poll.sentAtMs, then503: last.then503 };
}

/** The last 200 that was given before the thaw, and whether all later checks until then got 503, and there were some. */
function lastIn(
  checks: readonly Check[],
  thawMs: number,
): { readonly check: Check; readonly then503: boolean } | undefined {
  const frozen = checks.filter(({ startedAtMs, end }) => end && startedAtMs < thawMs && end.atMs < thawMs);
  const index = frozen.findLastIndex(({ end }) => end && isStatus(200)(end.value));
  const check = frozen[index];
  const after = frozen.slice(index + 1);
  return check && { check, then503: after.length > 0 && count(after, isStatus(503)) === after.length };
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
    figures('  with the witness', recording.witnessed),
    '',
    ...claims.map(({ holds, text }) => `${holds ? style.good(style.tick) : style.bad(style.cross)} ${text}`),
  ];
}

/** By nearest rank. */
function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN;
}

import { MAX_PARSED_BYTES, jsonObject } from '../patroni/json-body.js';
import { describeFailure } from '../patroni/snapshot-text.js';
import type { Answered, CanonicalRoute, PollOutcome } from '../patroni/types.js';
import type { WitnessRead, WitnessState } from '../witness/types.js';
import type { HostSample, RecordedPolls, RecordedSample, RecordedWitness, Recording } from './types.js';

/** The bounds of a recording: together a few kilobytes. */
const MAX_ROUTES = 8;
const MAX_DURATIONS = 20;
const MAX_TEXT = 300;

interface Timed<T> {
  readonly atMs: number;
  readonly value: T;
}

/** What a recording is made of. Times are the scheduler's, but for `wallMs`. */
export interface RecordingParts {
  readonly look: 1 | 2;
  readonly route: CanonicalRoute;
  readonly failure: string;
  readonly nowMs: number;
  readonly wallMs: number;
  /** The oldest first, as are the following. */
  readonly polls: readonly Timed<{ readonly route: CanonicalRoute; readonly outcome: PollOutcome }>[];
  readonly samples: readonly Timed<HostSample>[];
  readonly lags: readonly Timed<number>[];
  /** The latest answer. */
  readonly lastAnswered?: Answered;
  readonly witness?: { readonly state: WitnessState; readonly read?: WitnessRead };
}

/** The recording of these facts. Pure. */
export function recordingOf(parts: RecordingParts): Recording {
  const { look, route, failure, nowMs, wallMs, polls, samples, lags, witness } = parts;
  const last = samples.at(-1)?.value;
  const lagsMs = lags.map(({ value }) => Math.round(value));
  const dcsLastSeen = dcsLastSeenOf(parts);
  return {
    at: new Date(wallMs).toISOString(),
    look,
    route,
    failure: cut(failure),
    polls: recordedPolls(polls),
    patroni: samples.map((sample, at) => recordedSample(sample, samples[at - 1]?.value, nowMs)),
    process: last?.patroni.kind !== 'listens' ? 'unknown' : last.patroni.process ? 'seen' : 'not permitted',
    ...(dcsLastSeen && { dcsLastSeen }),
    ...(witness && { witness: recordedWitness(witness, nowMs) }),
    lag: { longestMs: Math.max(0, ...lagsMs), lastMs: lagsMs.at(-1) ?? 0 },
    ...(last?.memory && { memory: last.memory }),
    ...(last?.io && { io: last.io }),
  };
}

function recordedPolls(polls: RecordingParts['polls']): readonly RecordedPolls[] {
  const routes = [...new Set(polls.map(({ value }) => value.route))].slice(0, MAX_ROUTES);
  return routes.map((route) => {
    const outcomes = polls.flatMap(({ value }) => (value.route === route ? [value.outcome] : []));
    const failures = outcomes.flatMap((outcome) => (outcome.kind === 'failed' ? [outcome.failure] : []));
    const lastFailure = failures.at(-1);
    return {
      route,
      answered: outcomes.length - failures.length,
      failed: failures.length,
      tookMs: outcomes.slice(-MAX_DURATIONS).map(({ sentAtMs, endedAtMs }) => Math.round(endedAtMs - sentAtMs)),
      ...(lastFailure && { failure: cut(describeFailure(lastFailure)) }),
    };
  });
}

function recordedSample(
  { atMs, value: { patroni } }: Timed<HostSample>,
  before: HostSample | undefined,
  nowMs: number,
): RecordedSample {
  const agoMs = Math.round(nowMs - atMs);
  if (patroni.kind !== 'listens') return { agoMs, unknown: patroni.kind };
  const { acceptQueue, process } = patroni;
  if (process === undefined) return { agoMs, acceptQueue };
  const { state, threads, waitsIn, openFiles, openFilesLimit } = process;
  const former = before?.patroni.kind === 'listens' ? before.patroni.process : undefined;
  const isSame = former?.pid === process.pid && former.startedAt === process.startedAt;
  return {
    agoMs,
    acceptQueue,
    state,
    threads,
    ...(waitsIn !== undefined && { waitsIn }),
    ...(openFiles !== undefined && { openFiles }),
    ...(openFilesLimit !== undefined && Number.isFinite(openFilesLimit) && { openFilesLimit }),
    ...(isSame && { cpuMs: process.cpuMs - former.cpuMs }),
  };
}

/** By Patroni's clock, which is this host's if Patroni is on this host. */
function dcsLastSeenOf({ lastAnswered, nowMs, wallMs }: RecordingParts): Recording['dcsLastSeen'] {
  if (lastAnswered === undefined || lastAnswered.answer.body.length > MAX_PARSED_BYTES) return undefined;
  const { answer, endedAtMs } = lastAnswered;
  const seenS = jsonObject(answer.body)?.['dcs_last_seen'];
  if (typeof seenS !== 'number' || seenS <= 0) return undefined;
  return { agoMs: Math.round(wallMs - seenS * 1000), answerAgoMs: Math.round(nowMs - endedAtMs) };
}

function recordedWitness(
  { state, read }: { readonly state: WitnessState; readonly read?: WitnessRead },
  nowMs: number,
): RecordedWitness {
  const facts = read?.kind === 'read' ? read.facts : undefined;
  return {
    state: state.kind,
    ...('message' in state && { message: cut(state.message) }),
    ...(read && { readAgoMs: Math.round(nowMs - read.endedAtMs) }),
    ...(facts && { leader: cut(facts.keys.leader?.value ?? 'no node'), postgres: facts.postgres }),
  };
}

const cut = (text: string): string => text.slice(0, MAX_TEXT);

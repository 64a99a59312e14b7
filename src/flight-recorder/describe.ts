import { describeDuration } from '../patroni/snapshot-text.js';
import type { RecordedSample, Recording } from './types.js';

/** Linux's letters for the state of a process: proc_pid_stat(5). */
const STATES: Readonly<Record<string, string>> = {
  R: 'runs',
  S: 'sleeps',
  D: 'waits for a disk',
  T: 'stopped by a signal',
  t: 'stopped by a debugger',
  Z: 'has ended',
};

/** A recording in one line, for people. */
export function describeRecording(recording: Recording): string {
  const { look, route, failure, polls, patroni, process, dcsLastSeen, witness, lag, memory, io } = recording;
  const last = patroni.at(-1);
  const parts = [
    `${route}: ${failure}`,
    last && patroniText(last, patroni, process),
    ...polls.map(
      ({ route: polled, answered, failed }) =>
        `${polled}: ${answered} polls answered, ${failed} failed in the last minute`,
    ),
    dcsLastSeen && `Patroni had reached its DCS ${describeDuration(dcsLastSeen.agoMs)} ago`,
    witness &&
      `witness: ${witness.state}${witness.leader === undefined ? '' : `, the leader key names ${witness.leader}`}`,
    `own event loop: late by ${lag.longestMs} ms at most`,
    memory && `memory pressure ${memory.some} %`,
    io && `IO pressure ${io.some} %`,
  ];
  const when = look === 1 ? '' : ', ten seconds later';
  return `flight recorder${when}: ${parts.filter((part) => part !== undefined).join('; ')}`;
}

function patroniText(last: RecordedSample, samples: readonly RecordedSample[], process: Recording['process']): string {
  switch (last.unknown) {
    case 'gone':
      return 'nobody listens at the port of Patroni';
    case 'other-host':
      return 'Patroni is on another host';
    case 'late':
      return 'the kernel has not told about Patroni in time';
    case undefined:
      break;
  }
  const queues = samples.map(({ acceptQueue }) => acceptQueue ?? '?').join(', ');
  const queue = `accept queue of Patroni: ${last.acceptQueue ?? '?'} (samples: ${queues})`;
  if (process !== 'seen') return `${queue}; its process: not permitted to see`;
  const { state = '?', waitsIn, threads, openFiles, openFilesLimit, cpuMs } = last;
  const where = waitsIn === undefined ? '' : ` in ${waitsIn}`;
  const files = openFiles === undefined ? '' : `, ${openFiles} open files of ${openFilesLimit ?? 'any number'}`;
  const cpu = cpuMs === undefined ? '' : `, ${cpuMs} ms of CPU since the sample before`;
  return `${queue}; its process: ${state} (${STATES[state] ?? 'unknown'}${where}), ${threads ?? '?'} threads${files}${cpu}`;
}

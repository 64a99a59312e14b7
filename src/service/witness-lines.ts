import type { Log } from '../log/logger.js';
import { describeFailure } from '../patroni/snapshot-text.js';
import type { WitnessRead, WitnessState } from '../witness/types.js';
import { fewPerMinute } from './few-per-minute.js';

/** The log lines about the witness. */
export interface WitnessLines {
  /** A new state; `undefined` when a reload has removed the witness. */
  readonly witness: (state: WitnessState | undefined) => void;
  readonly witnessRead: (read: WitnessRead) => void;
}

/** Writes these lines to `log`. */
export function createWitnessLines(log: Pick<Log, 'write'>): WitnessLines {
  return {
    // an etcd that answers every second time must not fill the log
    witness: fewPerMinute((state) => {
      switch (state?.kind) {
        case 'agrees': {
          const text = 'the witness agrees with Patroni: patroniglue uses etcd while Patroni does not answer';
          log.write('info', text, { event: 'witness-agrees' });
          return;
        }
        case 'contradicts':
          log.write('warn', `the witness is not used: ${state.message}`, { event: 'witness-contradicts' });
          return;
        case 'unreachable':
          log.write('warn', `the witness cannot be read: ${state.message}`, { event: 'witness-unreachable' });
          return;
        case 'not-compared':
        case 'doubted': // a change is under way; the next comparison comes soon
        case undefined:
          return;
      }
    }),
    witnessRead(read) {
      const tookMs = read.endedAtMs - read.askedAtMs;
      const end = read.kind === 'read' ? describeRead(read) : describeFailure(read.failure);
      log.write('debug', `read the witness: ${end} in ${tookMs.toFixed(1)} ms`, {
        event: 'witness-read',
        outcome: read.kind,
        tookMs: Number(tookMs.toFixed(1)),
      });
    },
  };
}

function describeRead({ facts: { keys, postgres } }: Extract<WitnessRead, { kind: 'read' }>): string {
  const { leader, member } = keys;
  const life = leader?.lease ?? member?.lease;
  const lease = life === undefined ? '' : `, lease ${life.remainingMs / 1000} s`;
  return `leader ${leader?.value ?? 'none'}${lease}, PostgreSQL ${postgres}`;
}

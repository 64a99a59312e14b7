import type { ProcessFacts } from '../linux/process.js';
import type { Pressure } from '../linux/pressure.js';

/** What this host says at one moment about Patroni and about itself. */
export interface HostSample {
  readonly patroni: PatroniSample;
  readonly memory?: Pressure;
  readonly io?: Pressure;
}

/** Patroni as the kernel of its host sees it. */
export type PatroniSample =
  /** It listens at this many connections that it has not accepted. The process is absent if it may not be seen. */
  | { readonly kind: 'listens'; readonly acceptQueue: number; readonly process?: ProcessFacts }
  /** Nobody listens at the port. */
  | { readonly kind: 'gone' }
  | { readonly kind: 'other-host' }
  /** The kernel has not answered in time. */
  | { readonly kind: 'late' };

/** The polls of a route in the last minute. */
export interface RecordedPolls {
  readonly route: string;
  readonly answered: number;
  readonly failed: number;
  /** How long the latest polls took, the oldest first. */
  readonly tookMs: readonly number[];
  /** Why the latest of them failed. */
  readonly failure?: string;
}

/** A sample of Patroni, with its age. */
export interface RecordedSample {
  readonly agoMs: number;
  readonly acceptQueue?: number;
  /** `T`: stopped. Absent, together with what follows, if the process may not be seen. */
  readonly state?: string;
  readonly waitsIn?: string;
  readonly threads?: number;
  readonly openFiles?: number;
  readonly openFilesLimit?: number;
  /** CPU time since the sample before. */
  readonly cpuMs?: number;
  /** Why there is no accept queue. */
  readonly unknown?: 'gone' | 'other-host' | 'late';
}

/** What was known of Patroni and of this host when Patroni stopped answering. For people and machines; bounded in size. */
export interface Recording {
  /** By the wall clock, in ISO 8601. */
  readonly at: string;
  /** 1: at the first failed poll. 2: ten seconds later. */
  readonly look: 1 | 2;
  /** The route whose poll failed, and why. */
  readonly route: string;
  readonly failure: string;
  readonly polls: readonly RecordedPolls[];
  /** The oldest first; the last one was made for this recording. */
  readonly patroni: readonly RecordedSample[];
  /** Whether the process of Patroni may be seen. */
  readonly process: 'seen' | 'not permitted' | 'unknown';
  /** How long ago Patroni had reached its DCS, by its latest answer that says it, and how old this answer is. */
  readonly dcsLastSeen?: { readonly agoMs: number; readonly answerAgoMs: number };
  readonly witness?: RecordedWitness;
  /** The event loop of patroniglue, in the last minute. */
  readonly lag: { readonly longestMs: number; readonly lastMs: number };
  readonly memory?: Pressure;
  readonly io?: Pressure;
}

/** What the witness said last. */
export interface RecordedWitness {
  readonly state: string;
  readonly message?: string;
  readonly readAgoMs?: number;
  /** Who holds the leader key. */
  readonly leader?: string;
  readonly postgres?: string;
}

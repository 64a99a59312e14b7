/** Marks a string as the canonical spelling of a question to Patroni: path and query, as they are sent. */
export type CanonicalRoute = string & { readonly canonical: unique symbol };

/** What Patroni said: any complete HTTP response, whatever its status. */
export interface Answer {
  /** 200 to 599. */
  readonly status: number;
  /** The `Content-Type` header as it came; absent where Patroni sent none. */
  readonly contentType?: string;
  /** Byte for byte. */
  readonly body: Buffer;
  /** The `Date` header, by the upstream's clock: milliseconds since 1970, in whole seconds. */
  readonly dateMs?: number;
}

/** Why a poll brought no answer. Closed, so that logs, replies and metrics can name it. */
export type FailureReason =
  | 'timed-out'
  | 'refused'
  | 'unreachable'
  | 'reset'
  | 'cut-off'
  | 'name-lookup'
  | 'tls'
  | 'malformed'
  | 'too-large'
  | 'no-files'
  | 'other';

/** A poll that brought no answer. Without the error itself, which would keep request and socket in memory. */
export interface PollFailure {
  readonly reason: FailureReason;
  /** For people: `connect ECONNREFUSED 127.0.0.1:8008`. */
  readonly message: string;
}

/** How far an answer may be believed that rests on Patroni's leader key: see `lease-guard.ts`. Of the scheduler's clock. */
export interface Lease {
  /** When Patroni reached its DCS last. */
  readonly lastSeenAtMs: number;
  /** From then on the answer counts for nothing, however long answers live. */
  readonly endsAtMs: number;
}

/** The end of a poll. Times are those of the scheduler's clock, in milliseconds. */
export type PollOutcome =
  | {
      readonly kind: 'answered';
      readonly answer: Answer;
      readonly sentAtMs: number;
      readonly endedAtMs: number;
      readonly lease?: Lease;
    }
  | {
      readonly kind: 'failed';
      readonly failure: PollFailure;
      readonly sentAtMs: number;
      readonly endedAtMs: number;
      /** The deadline ended it: what was asked may still be with the upstream. */
      readonly givenUp?: true;
    };

/** A poll that brought an answer. */
export type Answered = Extract<PollOutcome, { kind: 'answered' }>;

/** The polls that failed since the last answer. */
export interface FailureSeries {
  readonly count: number;
  /** When the first of them was sent. */
  readonly sinceMs: number;
  readonly last: PollFailure;
}

/** What is known of a canonical route now. `failures` is there while the newest polls have failed. */
export type Snapshot =
  | { readonly kind: 'pending'; readonly sinceMs: number; readonly failures?: FailureSeries }
  | {
      readonly kind: 'fresh';
      readonly answer: Answer;
      /** When the poll was sent: an answer's age counts from here (RFC 9111, section 4.2.3). */
      readonly sentAtMs: number;
      /** The moment at which the answer ends: fresh before it, stale from it on. */
      readonly freshUntilMs: number;
      /** It ends by this, and not by its time to live. */
      readonly lease?: Lease;
      readonly failures?: FailureSeries;
    }
  | {
      readonly kind: 'stale';
      readonly answer: Answer;
      readonly sentAtMs: number;
      /** Since when: the moment at which the answer ended. */
      readonly sinceMs: number;
      /** It ended by this, and not by its time to live. */
      readonly lease?: Lease;
      readonly failures?: FailureSeries;
    };

/** What moves a snapshot: the end of a poll, or time. */
export type SnapshotEvent = PollOutcome | { readonly kind: 'expired' };

/** The canonical spelling of a question to Patroni: path and query, as patroniglue sends them. */
export type CanonicalRoute = string & { readonly canonical: unique symbol };

/** An answer of Patroni: any complete HTTP response, whatever its status. */
export interface Answer {
  /** 200 to 599. */
  readonly status: number;
  /** The `Content-Type` header as received; absent if Patroni sent none. */
  readonly contentType?: string;
  /** Byte for byte. */
  readonly body: Buffer;
  /** The `Date` header, by the upstream's clock: milliseconds since 1970, in whole seconds. */
  readonly dateMs?: number;
}

/** Why a poll brought no answer. A closed list, so that logs, replies and metrics can name each reason. */
export type FailureReason =
  | 'timed-out'
  | 'refused'
  | 'unreachable'
  | 'reset'
  | 'cut-off'
  | 'name-lookup'
  | 'tls'
  | 'refused-access'
  | 'malformed'
  | 'too-large'
  | 'no-files'
  | 'other';

/** What is wrong with TLS, where somebody can do something about it. */
export type TlsTrouble = 'no-tls' | 'unknown-ca' | 'wrong-name' | 'dates' | 'client-certificate';

/** Why a poll failed. It does not hold the error object, which would keep request and socket in memory. */
export interface PollFailure {
  readonly reason: FailureReason;
  /** For people, in one line: `connect ECONNREFUSED 127.0.0.1:8008`. */
  readonly message: string;
  /** With the reason `tls`, if it is one of these. */
  readonly tls?: TlsTrouble;
}

/** How long an answer counts that depends on Patroni's leader key: see `leader-lease.ts`. Times are the scheduler's. */
export interface Lease {
  /** When Patroni last reached its DCS. */
  readonly lastSeenAtMs: number;
  /** When the answer stops counting, even if its time to live is longer. */
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
      /** The poll reached its deadline. The upstream may still be working on the request. */
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

/** What the witness says for a route while Patroni does not answer: `src/witness`. Times are the scheduler's. */
export interface Witnessed {
  readonly kind: 'witnessed';
  readonly answer: Answer;
  /** When the witness was asked. */
  readonly sentAtMs: number;
  /** When the answer ends. */
  readonly endsAtMs: number;
  /** What the witness asks: `etcd3`. */
  readonly source: string;
  /** Why it is this answer, for people. */
  readonly why: string;
}

/**
 * What is known about a canonical route now. `failures` is present if the newest poll has failed. `witness` is present if the
 * answer comes from the witness, not from Patroni.
 */
export type Snapshot =
  | { readonly kind: 'pending'; readonly sinceMs: number; readonly failures?: FailureSeries }
  | {
      readonly kind: 'fresh';
      readonly answer: Answer;
      /** When the poll was sent: an answer's age counts from here (RFC 9111, section 4.2.3). */
      readonly sentAtMs: number;
      /** The moment at which the answer ends: fresh before, stale from this moment on. */
      readonly freshUntilMs: number;
      /** Present if the lease ends the answer, before its time to live does. */
      readonly lease?: Lease;
      readonly failures?: FailureSeries;
      readonly witness?: Pick<Witnessed, 'source' | 'why'>;
    }
  | {
      readonly kind: 'stale';
      readonly answer: Answer;
      readonly sentAtMs: number;
      /** The moment at which the answer ended. */
      readonly sinceMs: number;
      /** Present if the lease ended the answer, before its time to live did. */
      readonly lease?: Lease;
      readonly failures?: FailureSeries;
      readonly witness?: Pick<Witnessed, 'source' | 'why'>;
    };

/** An event that changes a snapshot: the end of a poll, an answer of the witness, or the end of an answer's time. */
export type SnapshotEvent = PollOutcome | Witnessed | { readonly kind: 'expired' };

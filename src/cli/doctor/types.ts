import type { Validity } from '../../certificates/validity.js';
import type { Config } from '../../config/types.js';
import type { PatroniTimings } from '../../patroni/timings-in-force.js';
import type { HaproxyFile } from '../haproxy/checks.js';
import type { ListenAddress, LiveAnswer, LiveWitness } from '../live-types.js';
import type { Silence } from '../running-service.js';
import type { Series } from './series.js';

/** Nagios' words for the state of a service, the best first. */
export const STATES = ['OK', 'UNKNOWN', 'WARNING', 'CRITICAL'] as const;

/** How well something is. */
export type State = (typeof STATES)[number];

/** What the doctor has found about one matter. */
export interface Finding {
  /** The matter, in a word: `timings`. */
  readonly check: string;
  readonly state: State;
  /** What is so, for people. */
  readonly found: string;
  /** What to do, in a sentence. Absent if all is well. */
  readonly todo?: string;
}

/** Everything that the doctor looks at. Nothing in it is a judgement. */
export interface Facts {
  /** The path of config.yml, and what it says. */
  readonly file: string;
  readonly config: Config;
  /** What root can read and the service cannot: a line for each file. */
  readonly closed?: readonly string[];
  /** The haproxy.cfg that the command line names, or why it cannot be read. */
  readonly haproxy?: HaproxyFile | { readonly file: string; readonly problem: string } | undefined;
  readonly patroni: PatroniFacts;
  readonly witness?: LiveWitness | undefined;
  readonly listen: readonly ListenAddress[];
  readonly service: ServiceFacts;
  /** The hosts that HAProxy checks at the port of the front end. */
  readonly hosts: readonly CheckedHost[];
  readonly process?: ServiceProcess | undefined;
  /** The version of the program that is installed. */
  readonly version: string;
  /** The wall clock, in milliseconds. */
  readonly nowMs: number;
}

/** What Patroni answered to one request for each route. */
export interface PatroniFacts {
  readonly answers: readonly LiveAnswer[];
  /** Routes that were not asked, because the first request had timed out. */
  readonly spared: number;
  readonly timings?: PatroniTimings;
  readonly version?: string;
  /** The address or the members of the upstream are not what they should be. */
  readonly warnings: readonly string[];
  readonly certificate?: Validity;
}

/** What the service says that runs with this configuration. */
export type ServiceFacts =
  | { readonly kind: 'silent'; readonly problem: string; readonly silence: Silence | 'another program' }
  | {
      readonly kind: 'answers';
      readonly isReady: boolean;
      /** What `/-/ready` says: `not ready: no fresh answer to /primary`. */
      readonly readiness: string;
      /** `/-/metrics`; empty if the service does not give it. */
      readonly series: readonly Series[];
      /** Why it does not give it. */
      readonly withoutMetrics?: string;
      /** The certificate that the front end shows. */
      readonly certificate?: Validity;
    };

/** A host that HAProxy checks at the port of the front end, seen from here. */
export interface CheckedHost {
  readonly host: string;
  readonly isThisHost: boolean;
  /** Whether the port accepts a connection; tried only if it is this host. */
  readonly accepts?: boolean;
}

/** The process of the running service. */
export interface ServiceProcess {
  /** `process 123`, `patroniglue.service`. */
  readonly source: string;
  readonly openFilesLimit: number;
  readonly openFiles?: number;
}

import type { Recording } from '../flight-recorder/types.js';
import type { NodeReport } from '../patroni/node-facts.js';
import type { ClusterMember } from '../patroni/cluster-members.js';
import type { Snapshot } from '../patroni/types.js';
import type { WitnessState } from '../witness/types.js';

/** Everything that the status page shows. Moments are in ISO 8601, durations in milliseconds. */
export interface StatusReport {
  readonly version: string;
  readonly at: string;
  readonly upstream: string;
  /** Every prefetched route is fresh. */
  readonly ready: boolean;
  /** What checks get, in one word. */
  readonly state: NodeState;
  /** When this patroniglue was started, and for how long it has run. */
  readonly started: string;
  readonly 'uptime-ms': number;
  /** The last reload that changed something or was refused. */
  readonly reload?: PastReload;
  readonly warnings: readonly string[];
  /** The witness, if the configuration has one. */
  readonly witness?: WitnessReport;
  readonly patroni: PatroniReport;
  /** What Patroni, or the witness in its place, last said about the node. */
  readonly node: NodeReport;
  /** When that was asked; absent if nothing is known of the node. */
  readonly 'node-asked'?: Moment;
  /** For how long the leader key is safe; absent if this node does not hold it, or if nothing tells. */
  readonly key?: KeyReport;
  /** The last check of any route; absent if nobody has asked yet. */
  readonly 'last-check'?: CheckReport & { readonly route: string };
  /** A route of the primary that is polled, and that nobody has asked for in the last minute. */
  readonly 'nobody-asks-for'?: string;
  readonly routes: readonly RouteReport[];
  /** Present while patroniglue polls `/cluster`, which it does while somebody looks at the page. */
  readonly cluster?: ClusterReport;
  /** `/cluster` cannot be polled: so many routes are learned, and `cache.learn` allows no more. */
  readonly 'no-place-for-cluster'?: number;
  /** What was known when Patroni last stopped answering. */
  readonly 'flight-recording'?: Recording;
  readonly certificates: readonly { readonly certificate: string; readonly ends: string }[];
  /** Of the prefetched routes, newest first. */
  readonly changes: readonly ChangeReport[];
  /** Of the learned routes, newest first. */
  readonly 'learned-changes': readonly ChangeReport[];
}

/**
 * What checks get:
 *
 * - `no-fresh-answer`: at least one prefetched route gets patroniglue's own 503;
 * - `witness`: at least one gets what the witness says, because Patroni does not answer;
 * - `leader`: Patroni answers 200 to a route of the leader;
 * - `standby`: Patroni answers, and never 200 to a route of the leader.
 */
export type NodeState = 'no-fresh-answer' | 'witness' | 'leader' | 'standby';

/** A moment, and how long ago it was. */
export interface Moment {
  readonly at: string;
  readonly 'ago-ms': number;
}

/** Whether Patroni answers. */
interface PatroniReport {
  /** When the last poll ended that was answered; absent if none was. */
  readonly answered?: Moment;
  /** Since when Patroni is frozen; absent while it is not. */
  readonly frozen?: Moment;
}

/** For how long the leader key is safe. */
export interface KeyReport {
  /** For so long, no other node can have the key. Even if nothing more is heard, checks may get 200 until then. */
  readonly 'safe-ms': number;
  /** What tells: `dcs_last_seen` in Patroni's answer, or the lease in etcd. */
  readonly by: 'lease-guard' | 'witness';
}

/** Who asked, and when. */
export interface CheckReport extends Moment {
  readonly from?: string;
}

/** The members of the cluster, as Patroni says. */
export interface ClusterReport extends Moment {
  readonly fresh: boolean;
  readonly members: readonly MemberReport[];
}

/** A member, and where its status page may be. */
export interface MemberReport extends ClusterMember {
  readonly 'this-node': boolean;
  /** A guess: a patroniglue at the same port of the host where the member's Patroni is. */
  readonly page?: string;
}

/** The result of a reload. */
interface PastReload {
  readonly at: string;
  readonly result: 'accepted' | 'refused';
  /** What has changed, or why the reload was refused. */
  readonly text: string;
}

/** A change, with the text of its log line. */
export interface ChangeReport {
  readonly at: string;
  readonly text: string;
}

/** The facts about the witness. */
export interface WitnessReport {
  readonly state: WitnessState['kind'];
  /** Why it is not used. */
  readonly message?: string;
  /** Checks get replies by the witness now, because Patroni does not answer. */
  readonly active: boolean;
  /** The following are there only while `active`. By the latest read, the node that holds the leader key; `null` if none does. */
  readonly leader?: string | null;
  /** By the latest read, the node's own key is in etcd. It expires when all of Patroni stands still for `ttl`. */
  readonly 'member-key'?: boolean;
  /** What checks of a route get that only a leader answers with 200. */
  readonly 'leader-route'?: { readonly route: string; readonly status: number; readonly why: string };
}

/** A poll that has ended. */
export interface PastPoll {
  /** From its beginning to its end, in milliseconds. */
  readonly tookMs: number;
  readonly answered: boolean;
}

/** The facts about a route. */
export interface RouteReport {
  readonly route: string;
  readonly learned: boolean;
  readonly state: Snapshot['kind'];
  /** The status of the latest answer, fresh or not. While it is fresh, patroniglue answers checks with it. */
  readonly status?: number;
  readonly 'age-ms'?: number;
  readonly 'ttl-ms': number;
  /** Why there is no fresh answer. */
  readonly reason?: string;
  /** Patroni answers, but has not reached its DCS for so long that the lease guard has ended its answer. */
  readonly 'by-lease-guard'?: true;
  /** The answer comes from the witness, for this reason. */
  readonly witness?: string;
  /** Absent if nobody has asked for the route. */
  readonly 'last-check'?: CheckReport;
  readonly 'last-failure'?: { readonly at: string; readonly text: string };
  /** Oldest first. */
  readonly polls: readonly PastPoll[];
}

import { type SchedulerLike, defer, map, toArray } from 'rxjs';
import { authority } from '../network/authority.js';
import type { FailureReason } from '../patroni/types.js';
import { type ResolveAll, addressesOf, limitLookups, lookedUpWithin } from './addresses.js';
import type { UpstreamTls } from './connection.js';
import { createAccess } from './etcd-access.js';
import { type ReadNodeKeys, createEtcdMember } from './etcd-member.js';
import { ReasonedError, classifyFailure } from './failure.js';
import { createHttpClient } from './http-client.js';
import { type End, inTurn } from './in-turn.js';

/** Where an etcd member listens for clients. */
interface EtcdHost {
  /** A name or an address. */
  readonly host: string;
  readonly port: number;
}

/** How patroniglue reaches the members of one etcd cluster. */
export interface EtcdOptions {
  /** At least one. */
  readonly hosts: readonly EtcdHost[];
  readonly scheme: 'http' | 'https';
  /** For `https`. */
  readonly tls: UpstreamTls;
  /** Absent if etcd asks for no user. */
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** The longest time to look up a host's name, and the longest time to make a TCP connection to it, in milliseconds. */
  readonly connectMs: number;
  /** When the caller gives up a read, in milliseconds: each host must begin before. */
  readonly deadlineMs?: number | undefined;
  readonly scheduler: SchedulerLike;
  /** Look-up of the hosts' names; replaced in tests. */
  readonly resolve?: ResolveAll | undefined;
}

/** So long after a host was asked, and has not answered, the next one is asked as well. */
const NEXT_HOST_MS = 300;

/** The most look-ups of hosts' names at a time: libuv has four threads, and Patroni's own look-up must not wait. */
export const MAX_LOOKUPS = 2;

/** The most characters of a message that tells why all hosts failed, and of one host's reason in it. */
const MAX_MESSAGE = 600;
const MAX_REASON = 200;

/**
 * Reads a node's keys from etcd. A read asks one host after another; the first one that answers completely wins, and the
 * next read asks it first. If all fail, the error names each host with its reason, and never a password or a token. The
 * read has no deadline: the caller adds one. One read at a time, so that there is one request in flight per host: this, too,
 * is up to the caller.
 */
export function createEtcd(options: EtcdOptions): ReadNodeKeys {
  const { scheme, tls, username, password = '', connectMs, deadlineMs = Infinity, scheduler } = options;
  const resolve = limitLookups(MAX_LOOKUPS, options.resolve);
  const user = username === undefined ? undefined : { name: username, password };
  const withToken = createAccess();
  const members = options.hosts.map(({ host, port }) => ({
    name: authority(host, port),
    read: createEtcdMember({
      client: createHttpClient({ host, port, scheme, tls, connectMs }),
      address$: lookedUpWithin(addressesOf(host, resolve), connectMs, scheduler),
      user,
      withToken,
    }),
  }));
  let answeredLast = members[0];
  return (key, name) =>
    defer(() => {
      const order = [...members].sort((one, other) => Number(other === answeredLast) - Number(one === answeredLast));
      const reads = order.map(({ read }) => read(key, name));
      return inTurn(reads, Math.min(NEXT_HOST_MS, deadlineMs / (reads.length + 1)), scheduler).pipe(
        toArray(),
        map((ends) => {
          const last = ends.at(-1);
          if (last?.kind !== 'value') throw allFailed(ends, (index) => order[index]?.name ?? '?');
          answeredLast = order[last.index];
          return last.value;
        }),
      );
    });
}

/** `10.0.0.11:2379: connect ECONNREFUSED 10.0.0.11:2379; 10.0.0.12:2379, 10.0.0.13:2379: etcd answered 503: ...` */
function allFailed(ends: readonly End<unknown>[], nameOf: (index: number) => string): Error {
  const failures = ends.flatMap((end) => (end.kind === 'failed' ? [{ ...end, ...classifyFailure(end.cause) }] : []));
  const hostsBy = new Map<string, string[]>();
  for (const { index, message } of failures) {
    hostsBy.set(message, [...(hostsBy.get(message) ?? []), nameOf(index)]);
  }
  const told = [...hostsBy].map(([message, hosts]) => `${hosts.join(', ')}: ${shortened(message, MAX_REASON)}`);
  return new ReasonedError(reasonOf(failures), shortened(told.join('; '), MAX_MESSAGE));
}

/** What only a person can mend goes first. */
function reasonOf(failures: readonly { readonly reason: FailureReason }[]): FailureReason {
  const reasons = failures.map(({ reason }) => reason);
  return reasons.find((reason) => reason === 'refused-access') ?? reasons[0] ?? 'other';
}

function shortened(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 3)}...`;
}

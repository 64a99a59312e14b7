import { lookup } from 'node:dns';
import { isIP, isIPv6 } from 'node:net';
import { Observable, type SchedulerLike, of, share, throwError, timeout } from 'rxjs';
import { withCode } from './coded-error.js';

/** An address of the upstream. */
export interface Address {
  readonly address: string;
  readonly family: 4 | 6;
}

/** Looks up all addresses of a name, and passes them to a callback in Node's style. Replaced in tests. */
export type ResolveAll = (
  hostname: string,
  callback: (error: NodeJS.ErrnoException | null, addresses: Address[]) => void,
) => void;

/** Called with what is wrong with the addresses of a name; `undefined` if nothing is wrong. */
export type OnAddresses = (warning: string | undefined) => void;

const LOOPBACK: Address[] = [
  { address: '127.0.0.1', family: 4 },
  { address: '::1', family: 6 },
];

const resolveAll: ResolveAll = (hostname, callback) => {
  lookup(hostname, { all: true }, (error, addresses) => {
    callback(error, error === null ? addresses.map(({ address }) => addressOf(address)) : []);
  });
};

/** The addresses of an upstream that is one host only. */
export interface Addresses {
  /** The addresses to try. Emits once and completes, or errors as `dns.lookup` does. */
  readonly address$: Observable<Address[]>;
  /** Must be called with the address of each answer. False if patroniglue asks another address by now: drop the answer then. */
  readonly answeredBy: (address: string | undefined) => boolean;
}

/**
 * The addresses of a host, as a cold observable: it emits once and completes, or it errors as `dns.lookup` does.
 *
 * An address needs no look-up. `localhost` stands for both loopback addresses, as RFC 6761, section 6.3 requires (many hosts
 * files have only one of them). Any other name is looked up. A look-up cannot be aborted and occupies one of libuv's four
 * threads until it ends. If every poll started its own, a silent name server would soon occupy all four. So there is at most
 * one look-up at a time, and all subscribers share it.
 */
export function addressesOf(host: string, resolve: ResolveAll = resolveAll): Observable<Address[]> {
  return isLookedUp(host) ? lookUp(host, resolve) : of(isIP(host) === 0 ? LOOPBACK : [addressOf(host)]);
}

/**
 * The addresses of an upstream's host, as {@link addressesOf} gives them.
 *
 * A name with several addresses may stand for several nodes (a headless service of Kubernetes, a service of Swarm), or for
 * one host where Patroni listens on one address only. So patroniglue tries all addresses, in the name server's order, until
 * one answers. From then on it asks only this address as long as the name has it, even if the address does not answer:
 * patroniglue must not take another node's 200 for this node's. When the name no longer has the address, patroniglue tries
 * the new addresses.
 *
 * @param onAddresses called after each look-up, with a sentence if something is wrong with the addresses
 */
export function createAddresses(
  host: string,
  resolve: ResolveAll = resolveAll,
  onAddresses: OnAddresses = () => undefined,
): Addresses {
  if (!isLookedUp(host)) return { address$: addressesOf(host), answeredBy: () => true };
  let pinned: string | undefined;
  const choose = (found: Address[]): Address[] => {
    const kept = found.find(({ address }) => address === pinned);
    onAddresses(
      pinned === undefined || kept ? severalAddressesWarning(host, found, pinned) : movedWarning(host, pinned, found),
    );
    if (!kept) pinned = undefined;
    return kept ? [kept] : found;
  };
  const resolveAndChoose: ResolveAll = (hostname, callback) => {
    resolve(hostname, (error, addresses) => {
      callback(error, error === null ? choose(addresses) : []);
    });
  };
  return {
    address$: lookUp(host, resolveAndChoose),
    answeredBy(address) {
      pinned ??= address;
      return pinned === address || address === undefined;
    },
  };
}

/**
 * A look-up of which at most `most` are under way. Further ones wait until another one has ended. So names that a silent name
 * server does not answer occupy at most `most` of libuv's four threads.
 */
export function limitLookups(most: number, resolve: ResolveAll = resolveAll): ResolveAll {
  const waiting: (() => void)[] = [];
  let underWay = 0;
  return (hostname, callback) => {
    const begin = (): void => {
      underWay += 1;
      resolve(hostname, (error, addresses) => {
        underWay -= 1;
        waiting.shift()?.();
        callback(error, addresses);
      });
    };
    if (underWay < most) begin();
    else waiting.push(begin);
  };
}

/** These addresses, or the error of a failed look-up if they are not known within `connectMs` milliseconds. */
export function lookedUpWithin(
  address$: Observable<Address[]>,
  connectMs: number,
  scheduler: SchedulerLike,
): Observable<Address[]> {
  return address$.pipe(
    timeout({
      first: connectMs,
      scheduler,
      with: () => throwError(() => withCode('EAI_AGAIN', `name not looked up within ${connectMs / 1000} s`)),
    }),
  );
}

/** A look-up that gives addresses which are known already. */
export function fixedLookup(addresses: Address[]) {
  return (_hostname: string, _options: object, callback: (error: Error | null, addresses: Address[]) => void): void => {
    callback(null, addresses);
  };
}

function isLookedUp(host: string): boolean {
  return isIP(host) === 0 && host.toLowerCase() !== 'localhost';
}

function lookUp(host: string, resolve: ResolveAll): Observable<Address[]> {
  return new Observable<Address[]>((subscriber) => {
    resolve(host, (error, addresses) => {
      if (error !== null) {
        subscriber.error(error);
        return;
      }
      subscriber.next(addresses);
      subscriber.complete();
    });
  }).pipe(share({ resetOnRefCountZero: false })); // without subscribers, the look-up still goes on
}

function addressOf(address: string): Address {
  return { address, family: isIPv6(address) ? 6 : 4 };
}

function severalAddressesWarning(
  host: string,
  addresses: readonly Address[],
  pinned: string | undefined,
): string | undefined {
  const ofFamily = (family: number): number =>
    new Set(addresses.filter((one) => one.family === family).map(({ address }) => address)).size;
  if (ofFamily(4) < 2 && ofFamily(6) < 2) return undefined; // a single host usually has one of each
  const asked = pinned ?? 'the first one that answers';
  return (
    `backend.host: ${host} has several addresses (${listed(addresses)}), and patroniglue asks only ${asked}: ` +
    "they may be several nodes; write the address of this node's Patroni"
  );
}

function movedWarning(host: string, former: string, addresses: readonly Address[]): string {
  return (
    `backend.host: ${host} no longer has the address ${former}, which answered until now, but ${listed(addresses)}: ` +
    "this may be another node; write the address of this node's Patroni"
  );
}

/** Sorted as text, because a name server may change the order at each look-up. */
function listed(addresses: readonly Address[]): string {
  const texts = [...new Set(addresses.map(({ address }) => address))].sort();
  return [...texts.slice(0, 4), ...(texts.length > 4 ? [`${texts.length - 4} more`] : [])].join(', ');
}

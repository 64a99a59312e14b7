import { lookup } from 'node:dns';
import { isIP, isIPv6 } from 'node:net';
import { Observable, of, share } from 'rxjs';

/** An address of the upstream. */
export interface Address {
  readonly address: string;
  readonly family: 4 | 6;
}

/** A look-up of all addresses of a name, with the signature of a callback of Node's. Replaced in tests. */
export type ResolveAll = (
  hostname: string,
  callback: (error: NodeJS.ErrnoException | null, addresses: Address[]) => void,
) => void;

/** Told what is wrong with the addresses of a name. */
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

/** Where an upstream is asked. */
export interface Addresses {
  /** The addresses to try, for whoever subscribes: emits once and completes, or errors as `dns.lookup` does. */
  readonly address$: Observable<Address[]>;
  /** Told which address has answered. False where that is not the one whose answers count: then the answer does not. */
  readonly answeredBy: (address: string | undefined) => boolean;
}

/**
 * The addresses of an upstream's host.
 *
 * An address is itself, and `localhost` is both loopback addresses, as RFC 6761 section 6.3 wants it (many a hosts file
 * knows one of them only). Any other name is looked up, and of look-ups at most one is under way: whoever subscribes
 * meanwhile shares it. A look-up cannot be aborted and holds one of libuv's four threads until it ends, so that polls
 * which each began one would, with a name server that does not answer, take all four and pile up behind them.
 *
 * A name with several addresses may be that of several nodes (a headless service of Kubernetes, a service of Swarm), or of
 * one host on which Patroni listens at one of them. So all are tried, in the order of the name server, until one answers;
 * from then on that one alone is asked, for as long as the name has it, also while it does not answer: another node's 200 may
 * not stand for it. A name that has it no longer is followed with the next poll.
 *
 * @param onAddresses told after each look-up what is wrong with the addresses, in a sentence; `undefined` where nothing is
 */
export function createAddresses(
  host: string,
  resolve: ResolveAll = resolveAll,
  onAddresses: OnAddresses = () => undefined,
): Addresses {
  if (isIP(host) !== 0) return fixed([addressOf(host)]);
  if (host.toLowerCase() === 'localhost') return fixed(LOOPBACK);
  let pinned: string | undefined;
  const choose = (found: Address[]): Address[] => {
    const kept = found.find(({ address }) => address === pinned);
    onAddresses(pinned === undefined || kept ? severalOf(host, found, pinned) : movedFrom(host, pinned, found));
    if (!kept) pinned = undefined;
    return kept ? [kept] : found;
  };
  const address$ = new Observable<Address[]>((subscriber) => {
    resolve(host, (error, addresses) => {
      if (error !== null) {
        subscriber.error(error);
        return;
      }
      subscriber.next(choose(addresses));
      subscriber.complete();
    });
  }).pipe(share({ resetOnRefCountZero: false })); // a look-up that nobody waits for any more is still under way
  return {
    address$,
    answeredBy(address) {
      pinned ??= address;
      return pinned === address || address === undefined;
    },
  };
}

function fixed(addresses: Address[]): Addresses {
  return { address$: of(addresses), answeredBy: () => true };
}

function addressOf(address: string): Address {
  return { address, family: isIPv6(address) ? 6 : 4 };
}

function severalOf(host: string, addresses: readonly Address[], pinned: string | undefined): string | undefined {
  const ofFamily = (family: number): number =>
    new Set(addresses.filter((one) => one.family === family).map(({ address }) => address)).size;
  if (ofFamily(4) < 2 && ofFamily(6) < 2) return undefined; // one of each is a host's own, as a rule
  const asked = pinned ?? 'the first one that answers';
  return (
    `backend.host: ${host} has several addresses (${shown(addresses)}), and ${asked} alone is asked: ` +
    "they may be those of several nodes; write the address of this node's Patroni"
  );
}

function movedFrom(host: string, former: string, addresses: readonly Address[]): string {
  return (
    `backend.host: ${host} no longer has the address ${former} that has answered until now, but ${shown(addresses)}: ` +
    "that may be another node; write the address of this node's Patroni"
  );
}

/** In the order of their texts, which is not another one at each look-up. */
function shown(addresses: readonly Address[]): string {
  const texts = [...new Set(addresses.map(({ address }) => address))].sort();
  return [...texts.slice(0, 4), ...(texts.length > 4 ? [`${texts.length - 4} more`] : [])].join(', ');
}

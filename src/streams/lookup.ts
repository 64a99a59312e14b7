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

/**
 * The upstream's addresses, for whoever subscribes: emits once and completes, or errors as `dns.lookup` does.
 *
 * An address is itself, and `localhost` is both loopback addresses, as RFC 6761 section 6.3 wants it (many a hosts file
 * knows one of them only). Any other name is looked up, and of look-ups at most one is under way: whoever subscribes
 * meanwhile shares it. A look-up cannot be aborted and holds one of libuv's four threads until it ends, so that polls
 * which each began one would, with a name server that does not answer, take all four and pile up behind them.
 * A name that changes its address is followed with the next poll. A name with several addresses of one family (a headless
 * service of Kubernetes, a service of Swarm) is that of several nodes as a rule: each poll would ask another Patroni, and one
 * node's 200 would stand for another. So one address of each family is asked, the same one for as long as the name has it.
 *
 * @param onAddresses told after each look-up what is wrong with the addresses, in a sentence; `undefined` where nothing is
 */
export function addressesOf(
  host: string,
  resolve: ResolveAll = resolveAll,
  onAddresses: OnAddresses = () => undefined,
): Observable<Address[]> {
  if (isIP(host) !== 0) return of([addressOf(host)]);
  if (host.toLowerCase() === 'localhost') return of(LOOPBACK);
  const pin = createPin();
  return new Observable<Address[]>((subscriber) => {
    resolve(host, (error, addresses) => {
      if (error !== null) {
        subscriber.error(error);
        return;
      }
      onAddresses(severalOf(host, addresses));
      subscriber.next(pin(addresses));
      subscriber.complete();
    });
  }).pipe(share({ resetOnRefCountZero: false })); // a look-up that nobody waits for any more is still under way
}

function addressOf(address: string): Address {
  return { address, family: isIPv6(address) ? 6 : 4 };
}

/** One address of each family: the former one while it is there, else the first in the order of their texts. */
function createPin(): (addresses: readonly Address[]) => Address[] {
  const pinned = new Map<Address['family'], string>();
  return (addresses) => {
    const families = [...new Set(addresses.map(({ family }) => family))]; // in the order of the name server
    return families.map((family) => {
      const found = addressesIn(addresses, family);
      const former = pinned.get(family);
      const address = former !== undefined && found.includes(former) ? former : (found[0] ?? '');
      pinned.set(family, address);
      return { address, family };
    });
  };
}

function severalOf(host: string, addresses: readonly Address[]): string | undefined {
  const several = [4, 6].map((family) => addressesIn(addresses, family)).filter((found) => found.length > 1);
  if (several.length === 0) return undefined;
  const found = several.flat();
  const shown = [...found.slice(0, 4), ...(found.length > 4 ? [`${found.length - 4} more`] : [])].join(', ');
  return `backend.host: ${host} has several addresses (${shown}): as the name of several nodes it answers for one of them alone; write the address of this node's Patroni`;
}

function addressesIn(addresses: readonly Address[], family: number): readonly string[] {
  const found = addresses.filter((one) => one.family === family).map(({ address }) => address);
  return [...new Set(found)].sort();
}

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
 * Nothing is remembered after its end: a name that changes its address is followed with the next poll.
 */
export function addressesOf(host: string, resolve: ResolveAll = resolveAll): Observable<Address[]> {
  if (isIP(host) !== 0) return of([addressOf(host)]);
  if (host.toLowerCase() === 'localhost') return of(LOOPBACK);
  return new Observable<Address[]>((subscriber) => {
    resolve(host, (error, addresses) => {
      if (error !== null) {
        subscriber.error(error);
        return;
      }
      subscriber.next(addresses);
      subscriber.complete();
    });
  }).pipe(share({ resetOnRefCountZero: false })); // a look-up that nobody waits for any more is still under way
}

function addressOf(address: string): Address {
  return { address, family: isIPv6(address) ? 6 : 4 };
}

import { lookup as dnsLookup, type LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';

/** A name look-up, as `dns.lookup` does it with `all: true`. Replaced in tests. */
export type ResolveAll = (
  hostname: string,
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

const LOOPBACK: LookupAddress[] = [
  { address: '127.0.0.1', family: 4 },
  { address: '::1', family: 6 },
];

/** `localhost` is both loopback addresses, as RFC 6761 section 6.3 wants it: many a hosts file knows one of them only. */
const resolveAll: ResolveAll = (hostname, callback) => {
  if (hostname.toLowerCase() === 'localhost') process.nextTick(callback, null, LOOPBACK);
  else dnsLookup(hostname, { all: true }, callback);
};

type Waiter = Parameters<ResolveAll>[1];

/**
 * A look-up for one upstream of which at most one is under way: whoever asks meanwhile shares its result. A look-up
 * cannot be aborted and holds one of libuv's four threads until it ends, so that polls which each began one of their
 * own would, with a name server that does not answer, take all four and pile up behind them. Nothing is remembered
 * after the end: a name that changes its address is followed with the next poll.
 */
export function createSharedLookup(resolve: ResolveAll = resolveAll): LookupFunction {
  let waiters: Waiter[] = [];
  const ask = (hostname: string, waiter: Waiter): void => {
    waiters.push(waiter);
    if (waiters.length > 1) return;
    resolve(hostname, (error, addresses) => {
      const served = waiters;
      waiters = [];
      for (const serve of served) serve(error, addresses);
    });
  };
  return (hostname, options, callback) => {
    ask(hostname, (error, addresses) => {
      if (error !== null) callback(error, '');
      else if (options.all === true) callback(null, addresses);
      else callback(null, addresses[0]?.address ?? '', addresses[0]?.family);
    });
  };
}

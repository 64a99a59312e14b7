import { type BehaviorSubject, type Observable, type SchedulerLike, concatMap, filter, merge, tap, timer } from 'rxjs';
import { type Validity, describeEnd } from '../certificates/validity.js';
import type { Config } from '../config/types.js';
import { origin } from '../network/authority.js';
import { type PositionedValidity, readCaValidity, readValidities } from '../certificates/pem.js';

/** How often the dates are looked at, in milliseconds. */
const EVERY_MS = 60_000;

/** Whose certificate: the front end's, our own as Patroni's client, the CA's that Patroni is trusted by, Patroni's. */
export type CertificateOwner = 'frontend' | 'client' | 'ca' | 'patroni';

/** A certificate that nears its end, or is past it. */
export interface CertificateWarning {
  readonly owner: CertificateOwner;
  /** By the wall clock, in milliseconds. */
  readonly toMs: number;
  /** `Patroni's certificate ends on 2026-12-20T10:00:00Z, in less than 30 days` */
  readonly message: string;
}

/** The certificates in force, held against the wall clock as time passes. */
export interface CertificateWatch {
  /** When each ends, by the wall clock in milliseconds: the first of a chain, and of CAs the one that lasts longest. */
  readonly ends: () => ReadonlyMap<CertificateOwner, number>;
  /** What has come near its end since the files were read: what was near then is among the warnings of the configuration. */
  readonly warnings: () => readonly string[];
  /** Emits each of these as it comes: within a minute, and at once for what Patroni shows first. */
  readonly warning$: Observable<CertificateWarning>;
}

interface Watched extends Validity {
  readonly owner: CertificateOwner;
  /** `Patroni's certificate` */
  readonly name: string;
}

/**
 * Watches the certificates of whatever configuration is in force.
 *
 * @param shown$ Patroni's certificate, each time that Patroni shows it
 */
export function createCertificateWatch(
  config$: BehaviorSubject<Config>,
  shown$: Observable<Validity>,
  scheduler: SchedulerLike,
  wallMs: () => number,
): CertificateWatch {
  let config: Config | undefined;
  let files: readonly Watched[] = [];
  let toldAtReading: readonly string[] = [];
  let patroni: Watched | undefined;
  let known: readonly CertificateWarning[] = [];

  const read = (next: Config): void => {
    if (config && origin(config.backend) !== origin(next.backend)) patroni = undefined; // what the former one has shown is of no use
    config = next;
    files = inFiles(next);
    toldAtReading = warningsOf(files, wallMs()).map(({ message }) => message);
  };
  const see = (validity: Validity): boolean => {
    const isFirst = patroni === undefined;
    patroni = { owner: 'patroni', name: "Patroni's certificate", ...validity };
    return isFirst;
  };
  const lookAgain = (): readonly CertificateWarning[] => {
    const checked = patroni && config?.backend.tls.insecure === false ? [patroni] : [];
    const near = warningsOf([...files, ...checked], wallMs());
    const before = known.map(({ message }) => message);
    known = near.filter(({ message }) => !toldAtReading.includes(message));
    return known.filter(({ message }) => !before.includes(message));
  };
  return {
    ends() {
      // from last to first, so that of a chain its first certificate is the one that is left
      return new Map([...files, ...(patroni ? [patroni] : [])].reverse().map(({ owner, toMs }) => [owner, toMs]));
    },
    warnings: () => known.map(({ message }) => message),
    // concatMap: the warnings are there already, in their order
    warning$: merge(config$.pipe(tap(read)), shown$.pipe(filter(see)), timer(EVERY_MS, EVERY_MS, scheduler)).pipe(
      concatMap(lookAgain),
    ),
  };
}

/** The certificates of a configuration, each named as its warnings do. */
function inFiles({ frontend, backend: { tls } }: Config): readonly Watched[] {
  const watched = (owner: CertificateOwner, key: string, file: string, validities: readonly PositionedValidity[]) =>
    validities.map(({ position, ...validity }) => ({ owner, name: `${key}: ${file}: ${position}`, ...validity }));
  const ca = tls.ca === undefined || tls.insecure ? undefined : readCaValidity(tls.ca);
  return [
    ...watched('frontend', 'frontend.certfile', frontend.tls?.certfile ?? '', readValidities(frontend.tls?.cert ?? '')),
    ...watched('client', 'backend.certfile', tls.certfile ?? '', readValidities(tls.cert ?? '')),
    ...watched('ca', 'backend.cafile', tls.cafile ?? '', ca ? [ca] : []),
  ];
}

function warningsOf(certificates: readonly Watched[], nowMs: number): CertificateWarning[] {
  return certificates.flatMap(({ owner, name, ...validity }) => {
    const end = describeEnd(validity, nowMs);
    return end === undefined ? [] : [{ owner, toMs: validity.toMs, message: `${name} ${end}` }];
  });
}

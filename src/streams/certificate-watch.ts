import { type BehaviorSubject, type Observable, type SchedulerLike, concatMap, filter, merge, tap, timer } from 'rxjs';
import { type Validity, describeEnd } from '../certificates/validity.js';
import type { Config } from '../config/types.js';
import { origin } from '../network/authority.js';
import { type PositionedValidity, readCaValidity, readValidities } from '../certificates/pem.js';

/** How often the dates are checked, in milliseconds. */
const EVERY_MS = 60_000;

/**
 * Whose certificate: the front end's, that of the CA for its clients, patroniglue's own as a client of Patroni, that of the
 * CA for Patroni, Patroni's, patroniglue's own as a client of etcd, that of the CA for etcd.
 */
export type CertificateOwner =
  'frontend' | 'frontend-ca' | 'client' | 'ca' | 'patroni' | 'witness-client' | 'witness-ca';

/** A certificate that ends soon or has expired. */
export interface CertificateWarning {
  readonly owner: CertificateOwner;
  /** The end of the certificate: milliseconds of the wall clock. */
  readonly toMs: number;
  /** `Patroni's certificate ends on 2026-12-20T10:00:00Z, in less than 30 days` */
  readonly message: string;
}

/** Compares the certificates in force with the wall clock as time passes. */
export interface CertificateWatch {
  /** The end of each certificate, in milliseconds of the wall clock: of a chain the first one's, of CAs the latest. */
  readonly ends: () => ReadonlyMap<CertificateOwner, number>;
  /** Warnings that have become true since the files were read. The configuration itself has the earlier warnings. */
  readonly warnings: () => readonly string[];
  /** Emits each new warning: within a minute, and at once for the first certificate that Patroni shows. */
  readonly warning$: Observable<CertificateWarning>;
}

/** A certificate, and whose it is. */
export interface Watched extends Validity {
  readonly owner: CertificateOwner;
  /** `Patroni's certificate` */
  readonly name: string;
}

/**
 * Watches the certificates of the configuration in force.
 *
 * @param shown$ Patroni's certificate, each time Patroni shows it
 */
export function createCertificateWatch(
  config$: BehaviorSubject<Config>,
  shown$: Observable<Validity>,
  scheduler: SchedulerLike,
  wallMs: () => number,
): CertificateWatch {
  let config: Config | undefined;
  let files: readonly Watched[] = [];
  let warningsAtReading: readonly string[] = [];
  let patroni: Watched | undefined;
  let known: readonly CertificateWarning[] = [];

  const read = (next: Config): void => {
    if (config && origin(config.backend) !== origin(next.backend)) patroni = undefined; // it was the former upstream's
    config = next;
    files = certificatesInFiles(next);
    warningsAtReading = warningsOf(files, wallMs()).map(({ message }) => message);
  };
  /** True if it is the first certificate that this Patroni shows. */
  const keepShown = (validity: Validity): boolean => {
    const isFirst = patroni === undefined;
    patroni = { owner: 'patroni', name: "Patroni's certificate", ...validity };
    return isFirst;
  };
  const newWarnings = (): readonly CertificateWarning[] => {
    const checked = patroni && config?.backend.tls.insecure === false ? [patroni] : [];
    const near = warningsOf([...files, ...checked], wallMs());
    const before = known.map(({ message }) => message);
    known = near.filter(({ message }) => !warningsAtReading.includes(message));
    return known.filter(({ message }) => !before.includes(message));
  };
  return {
    ends() {
      // From last to first: of a chain, the map keeps the first certificate.
      return new Map([...files, ...(patroni ? [patroni] : [])].reverse().map(({ owner, toMs }) => [owner, toMs]));
    },
    warnings: () => known.map(({ message }) => message),
    // concatMap: a list of warnings, emitted in its order
    warning$: merge(config$.pipe(tap(read)), shown$.pipe(filter(keepShown)), timer(EVERY_MS, EVERY_MS, scheduler)).pipe(
      concatMap(newWarnings),
    ),
  };
}

/** The certificates of a configuration, each with the name that its warnings use. */
export function certificatesInFiles({ frontend, backend, witness }: Config): readonly Watched[] {
  const watched = (owner: CertificateOwner, key: string, file: string, validities: readonly PositionedValidity[]) =>
    validities.map(({ position, ...validity }) => ({ owner, name: `${key}: ${file}: ${position}`, ...validity }));
  const caOf = ({ ca, insecure = false }: { readonly ca?: string; readonly insecure?: boolean }) => {
    const validity = ca === undefined || insecure ? undefined : readCaValidity(ca);
    return validity ? [validity] : [];
  };
  const clients = frontend.tls?.verifyClient === 'none' ? {} : (frontend.tls ?? {});
  const etcd = witness?.etcd3.tls ?? { insecure: false };
  return [
    ...watched('frontend', 'frontend.certfile', frontend.tls?.certfile ?? '', readValidities(frontend.tls?.cert ?? '')),
    ...watched('frontend-ca', 'frontend.cafile', frontend.tls?.cafile ?? '', caOf(clients)),
    ...watched('client', 'backend.certfile', backend.tls.certfile ?? '', readValidities(backend.tls.cert ?? '')),
    ...watched('ca', 'backend.cafile', backend.tls.cafile ?? '', caOf(backend.tls)),
    ...watched('witness-client', 'witness.etcd3.certfile', etcd.certfile ?? '', readValidities(etcd.cert ?? '')),
    ...watched('witness-ca', 'witness.etcd3.cafile', etcd.cafile ?? '', caOf(etcd)),
  ];
}

function warningsOf(certificates: readonly Watched[], nowMs: number): CertificateWarning[] {
  return certificates.flatMap(({ owner, name, ...validity }) => {
    const end = describeEnd(validity, nowMs);
    return end === undefined ? [] : [{ owner, toMs: validity.toMs, message: `${name} ${end}` }];
  });
}

import type { SchedulerLike } from 'rxjs';
import type { Config } from '../config/types.js';
import { type RequestPatroni, type Upstream, createRequest } from '../upstream/request.js';
import { type Freeze, createFreeze } from './freeze.js';
import { type PollSettings, settingsOf } from './poll-settings.js';

/** The share of an interval to make a connection: a little less than 1, so that the next tick finds no poll in flight. */
const CONNECT_SHARE = 0.9;

/** The least time to make a connection, also with a very short interval. */
const LEAST_CONNECT_MS = 100;

/** Patroni as one configuration polls it. */
export interface PolledUpstream {
  readonly settings: PollSettings;
  readonly request: RequestPatroni;
  readonly freeze: Freeze;
}

/** What a polled upstream needs from outside, with listeners for Patroni's certificate and addresses. */
export interface PolledUpstreamParts extends Pick<Upstream, 'onCertificate' | 'onAddresses'> {
  readonly scheduler: SchedulerLike;
  /** From 0 to 1, as `Math.random`. */
  readonly random: () => number;
}

/** Makes the upstream for these settings. It asks nothing until a request is subscribed. */
export function createPolledUpstream(settings: PollSettings, parts: PolledUpstreamParts): PolledUpstream {
  const { scheduler, random, onCertificate, onAddresses } = parts;
  const { intervalMs } = settings.times;
  return {
    settings,
    request: requestBy(settings, { onCertificate, onAddresses }),
    freeze: createFreeze({ intervalMs, scheduler, random }),
  };
}

/** Requests to the Patroni of a configuration, without polling. */
export function requestOf(config: Config, listeners: Pick<Upstream, 'onCertificate' | 'onAddresses'>): RequestPatroni {
  return requestBy(settingsOf(config), listeners);
}

/** The time to connect ends before the deadline of the poll: so a missing connection is not taken for a frozen Patroni. */
function requestBy(
  { backend, times }: PollSettings,
  listeners: Pick<Upstream, 'onCertificate' | 'onAddresses'>,
): RequestPatroni {
  return createRequest({ ...backend, ...listeners, connectMs: connectMsOf(backend.timeoutMs, times.intervalMs) });
}

/** The longest time to look up a name, and to make a connection, for what is asked once in an interval; in milliseconds. */
export function connectMsOf(timeoutMs: number, intervalMs: number): number {
  return Math.min(timeoutMs * CONNECT_SHARE, Math.max(intervalMs * CONNECT_SHARE, LEAST_CONNECT_MS));
}

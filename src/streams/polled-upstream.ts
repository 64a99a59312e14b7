import type { SchedulerLike } from 'rxjs';
import type { Config } from '../config/types.js';
import type { OnAddresses } from '../upstream/addresses.js';
import { type RequestPatroni, type Upstream, createRequest } from '../upstream/request.js';
import { type Freeze, createFreeze } from './freeze.js';
import { type PollSettings, settingsOf } from './poll-settings.js';

/** Connecting is given up a little before the next tick, so that the tick finds no poll in flight and asks anew. */
const CONNECT_SHARE = 0.9;

/** No less than this for connecting, however short the interval. */
const LEAST_CONNECT_MS = 100;

/** Patroni as it is polled by one configuration, and whether it is frozen. */
export interface PolledUpstream {
  readonly settings: PollSettings;
  readonly request: RequestPatroni;
  readonly freeze: Freeze;
}

/** What a polled upstream needs from outside, and whom it tells of Patroni's certificate and addresses. */
export interface PolledUpstreamParts extends Pick<Upstream, 'onCertificate' | 'onAddresses'> {
  readonly scheduler: SchedulerLike;
  /** From 0 to 1, as `Math.random`. */
  readonly random: () => number;
}

/** Patroni by these settings. Nothing is asked before a request is subscribed. */
export function createPolledUpstream(settings: PollSettings, parts: PolledUpstreamParts): PolledUpstream {
  const { scheduler, random, onCertificate, onAddresses } = parts;
  const { intervalMs } = settings.times;
  return {
    settings,
    request: requestBy(settings, { onCertificate, onAddresses }),
    freeze: createFreeze({ intervalMs, scheduler, random }),
  };
}

/** Requests to Patroni as a configuration says, without polling. */
export function requestOf(config: Config, onAddresses?: OnAddresses): RequestPatroni {
  return requestBy(settingsOf(config), { onAddresses });
}

/** Connecting is given up before the deadline of the poll: a connection that was never made cost Patroni nothing. */
function requestBy(
  { backend, times }: PollSettings,
  told: Pick<Upstream, 'onCertificate' | 'onAddresses'>,
): RequestPatroni {
  const { timeoutMs } = backend;
  const connectMs = Math.min(timeoutMs * CONNECT_SHARE, Math.max(times.intervalMs * CONNECT_SHARE, LEAST_CONNECT_MS));
  return createRequest({ ...backend, ...told, connectMs });
}

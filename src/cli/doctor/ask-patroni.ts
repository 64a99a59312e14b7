import type { Validity } from '../../certificates/validity.js';
import type { Config } from '../../config/types.js';
import { configIn, timingsInForce, versionIn } from '../../patroni/timings-in-force.js';
import type { Answer, CanonicalRoute, PollOutcome } from '../../patroni/types.js';
import { requestOf } from '../../streams/polled-upstream.js';
import { answersFor, askRoutes, writtenRoutesOf } from '../live-check.js';
import type { PatroniFacts } from './types.js';

/** The longest that a request may take. */
const MAX_DEADLINE_MS = 2500;

const CONFIG = '/config' as CanonicalRoute;

/**
 * Asks Patroni one request for each route, as the service does, and for its dynamic configuration. First one route alone: a
 * frozen Patroni keeps each request in its queue, so the others are not asked if the first one times out.
 */
export async function askPatroni(config: Config): Promise<PatroniFacts> {
  const found: { certificate?: Validity; addressWarning?: string | undefined } = {};
  const request = requestOf(config, {
    onCertificate: (validity) => (found.certificate = validity),
    onAddresses: (warning) => (found.addressWarning = warning),
  });
  const written = writtenRoutesOf(config);
  const routes = [...new Set([...written.map(({ route }) => route), CONFIG])];
  const deadlineMs = Math.min(MAX_DEADLINE_MS, config.backend.timeoutMs);
  const first = await askRoutes(routes.slice(0, 1), request, deadlineMs);
  const isFrozen = [...first.values()].some(isTimedOut);
  const others = await askRoutes(isFrozen ? [] : routes.slice(1), request, deadlineMs);
  const outcomes = new Map([...first, ...others]);
  const answers = [...outcomes.values()].flatMap(answerIn);
  const version = answers.map(versionIn).find((said) => said !== undefined);
  const asked = outcomes.get(CONFIG);
  const dynamic = asked && answerIn(asked).map(configIn)[0];
  const timings = dynamic && timingsInForce(dynamic, version);
  return {
    answers: answersFor(written, outcomes),
    spared: isFrozen ? routes.length - 1 : 0,
    warnings: [found.addressWarning].filter((text) => text !== undefined),
    ...(timings && { timings }),
    ...(version !== undefined && { version }),
    ...(found.certificate && { certificate: found.certificate }),
  };
}

function isTimedOut(outcome: PollOutcome): boolean {
  return outcome.kind === 'failed' && outcome.failure.reason === 'timed-out';
}

function answerIn(outcome: PollOutcome): readonly Answer[] {
  return outcome.kind === 'answered' ? [outcome.answer] : [];
}

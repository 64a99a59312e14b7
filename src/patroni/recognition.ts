import { namesPatroni } from './routes.js';
import type { Answer, CanonicalRoute } from './types.js';

/** An answer, and the route that it answers. */
export interface RoutedAnswer {
  readonly route: CanonicalRoute;
  readonly answer: Pick<Answer, 'status' | 'body'>;
}

const NOT_FOUND = 404;

/** Patroni's answers name it in their body (`_write_status_response` in `patroni/api.py`, 3.0.2 and 4.1). */
const MARK = '"patroni"';

/**
 * True if Patroni has written an answer, false if something else has, `undefined` if the answer cannot tell: Patroni's answers
 * to `/liveness`, `/config` and the like do not name it. But Patroni never answers 404 to a GET. A proxy in front of Patroni
 * may have replaced the body of a 503, so one such answer alone does not mean that Patroni is not there.
 *
 * The body is searched and not parsed: each answer is looked at, and Python writes `NaN`, which JSON.parse refuses.
 */
export function isByPatroni({ route, answer: { status, body } }: RoutedAnswer): boolean | undefined {
  if (status === NOT_FOUND) return false;
  return namesPatroni(route) ? body.includes(MARK) : undefined;
}

/** True if these answers came at the same time, something else than Patroni wrote at least one of them, and Patroni none. */
export function areForeign(answers: readonly RoutedAnswer[]): boolean {
  const verdicts = answers.map(isByPatroni);
  return verdicts.includes(false) && !verdicts.includes(true);
}

/** `http://localhost:2379 does not answer as Patroni (404 to /primary, /replica)` */
export function foreignText(origin: string, answers: readonly RoutedAnswer[]): string {
  const routes = new Map<number, Set<string>>();
  for (const asked of answers) {
    if (isByPatroni(asked) !== false) continue;
    const { status } = asked.answer;
    routes.set(status, (routes.get(status) ?? new Set()).add(asked.route));
  }
  const told = [...routes].map(([status, asked]) => `${status} to ${[...asked].join(', ')}`);
  return `${origin} does not answer as Patroni (${told.join('; ')})`;
}

/** The words of Go's net/http and of nginx for a request without TLS on a port with TLS. */
const PLAIN_ON_TLS = /HTTP request (?:to an HTTPS server|was sent to HTTPS port)/;

/** What to do about {@link foreignText}. */
export function foreignRemedy(answers: readonly RoutedAnswer[]): string {
  return answers.some(({ answer: { status, body } }) => status === 400 && PLAIN_ON_TLS.test(body.toString('latin1')))
    ? 'The port expects TLS: set backend.scheme to https.'
    : 'Write the host and the port of restapi.listen (patroni.yml) as backend.host and backend.port. ' +
        'If they are right, a proxy answers.';
}

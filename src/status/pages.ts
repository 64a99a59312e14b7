import { readFileSync } from 'node:fs';
import {
  NEVER,
  type Observable,
  type SchedulerLike,
  asyncScheduler,
  auditTime,
  defer,
  map,
  merge,
  of,
  share,
  takeUntil,
  timer,
} from 'rxjs';
import { textReply } from '../http/reply.js';
import { statusMain, statusPage } from './html.js';
import type { StatusReport } from './types.js';
import type { PageReply, Reply, StreamReply } from '../http/types.js';

const EVERY_MS = 1000;

/** Changes within this time become one event. */
const GATHER_MS = 250;

const HTML = 'text/html; charset=utf-8';

/** The page loads nothing from other hosts, runs nothing inline, and may not be put in a frame. */
const GUARDED: Reply['headers'] = {
  'Content-Security-Policy':
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
};

const css = readFileSync(new URL('./assets/status.css', import.meta.url), 'utf8');
const js = readFileSync(new URL('./assets/status.js', import.meta.url), 'utf8');
const runbook = readFileSync(new URL('./assets/runbook.txt', import.meta.url), 'utf8');

/**
 * The status page, its facts as JSON, and the events that keep the page up to date: one event at once, one per second, and
 * one soon after each emission of `change$`. Each event is made once and sent to all clients that watch. An event a second tells
 * the page that the service lives.
 *
 * @param onWatched called before the page or an event is made, but not for the JSON: a person is looking
 * @param end$ ends all events: the clients must ask again
 */
export function createStatusPages(
  report: () => StatusReport,
  change$: Observable<unknown>,
  scheduler: SchedulerLike = asyncScheduler,
  onWatched: () => void = () => undefined,
  end$: Observable<unknown> = NEVER,
): ReadonlyMap<string, () => PageReply> {
  const page = (text: string, contentType: string): Reply => textReply(200, text, contentType, GUARDED);
  const watched = (): StatusReport => {
    onWatched();
    return report();
  };
  const event = (): string => eventOf(statusMain(watched()));
  const moment$ = merge(timer(EVERY_MS, EVERY_MS, scheduler), change$.pipe(auditTime(GATHER_MS, scheduler)));
  const event$ = moment$.pipe(map(event), share());
  const stream: StreamReply = {
    status: 200,
    headers: { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store', ...GUARDED },
    body$: merge(
      defer(() => of(`retry: 1000\n\n${event()}`)),
      event$,
    ).pipe(takeUntil(end$)),
  };
  return new Map<string, () => PageReply>([
    ['/-/status', () => page(statusPage(watched()), HTML)],
    ['/-/status.json', () => page(`${JSON.stringify(report(), undefined, 2)}\n`, 'application/json')],
    ['/-/status/events', () => stream],
    ['/-/runbook', () => page(runbook, 'text/plain; charset=utf-8')],
    ['/-/status.css', () => page(css, 'text/css; charset=utf-8')],
    ['/-/status.js', () => page(js, 'text/javascript; charset=utf-8')],
  ]);
}

/** A message of `text/event-stream` (WHATWG HTML, section 9.2). */
function eventOf(text: string): string {
  return `${text.replace(/^/gm, 'data: ')}\n\n`;
}

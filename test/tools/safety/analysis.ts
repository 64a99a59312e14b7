import type { Event } from './event.js';
import { intersect, longestMs, shared, type Span, subtract, union } from './spans.js';
import type { Place, Stretch, Track } from './track.js';

/** What was seen of a cluster, and the times that its services keep to. */
export interface Recording {
  readonly ttlMs: number;
  readonly intervalMs: number;
  /** Patroni's, in milliseconds, where the services have a witness. */
  readonly witnessed?: { readonly ttlMs: number; readonly loopWaitMs: number; readonly retryTimeoutMs: number };
  readonly tracks: readonly Track[];
  /** In order; each is taken to last until the next. */
  readonly events: readonly Event[];
}

/** A change of a Patroni's answer, with an answer just before it and just after. */
export interface Change {
  readonly node: string;
  readonly to: 'yes' | 'no';
  readonly atMs: number;
  /** Until its patroniglue said so too, or until Patroni had changed its mind again. */
  readonly lagMs: number;
  /** The same, when whatever the sampling adds is taken off: for so long it cannot have been otherwise. */
  readonly surelyMs: number;
  /** False when Patroni changed its mind before its patroniglue had seen this. */
  readonly seen: boolean;
}

/** What `/primary` was answered with during one event, directly by each Patroni and by each patroniglue. */
export interface EventFindings {
  readonly event: Event;
  /** The longest time for which two nodes said 200. */
  readonly two: Record<Place['by'], number>;
  /** The longest time for which no node did. */
  readonly none: Record<Place['by'], number>;
  /** Where the old primary's Patroni was silent. */
  readonly silence?: {
    /** The longest time for which two patroniglues said 200 during the silence. */
    readonly twoMs: number;
    /** From its beginning to the 503 of the old primary's patroniglue. */
    readonly until503Ms: number;
    /** From that 503 to the first 200 of another node's Patroni. */
    readonly marginMs: number;
  };
}

export interface Findings {
  readonly events: readonly EventFindings[];
  readonly changes: readonly Change[];
  /** The longest time for which a patroniglue said 200 though its Patroni had not for a time to live. */
  readonly unfoundedMs: number;
  /** Of a patroniglue; Patroni may give none. */
  readonly unanswered: number;
}

/** Pure: what was said, by the rules that the services must keep. */
export function analyse(recording: Recording): Findings {
  const { tracks, events, ttlMs } = recording;
  const pairs = pairsOf(tracks);
  const silences = (node: string): Span[] =>
    events.flatMap((event) => (event.node === node && event.silent ? [event.silent] : []));
  return {
    events: events.map((event, index) => eventFindings(event, events[index + 1]?.startMs ?? Infinity, tracks)),
    changes: pairs.flatMap(({ patroni, patroniglue }) => changesOf(patroni, patroniglue)),
    unfoundedMs: Math.max(
      ...pairs.map(({ patroni, patroniglue }) =>
        longestMs(unfounded(patroniglue, maySayYes(patroni, silences(patroni.node)), ttlMs)),
      ),
    ),
    unanswered: tracks
      .filter(({ by }) => by === 'patroniglue')
      .flatMap(({ stretches }) => stretches)
      .filter(({ said }) => said === 'nothing')
      .reduce((sum, { samples }) => sum + samples, 0),
  };
}

/**
 * When a place says 200, as its asker knows it: from the first 200 until it is told otherwise; or, where it is told
 * nothing, until it asked in vain.
 */
export function saysYes({ stretches }: Pick<Track, 'stretches'>): Span[] {
  return stretches.flatMap(({ said, first, last }, index) => {
    if (said !== 'yes') return [];
    const next = stretches[index + 1];
    const toMs = next?.said === 'nothing' ? next.first.sentMs : (next?.first ?? last).endMs;
    return [{ fromMs: first.endMs, toMs }];
  });
}

/**
 * When a place may have said 200 to others: between the samples to which it said something else, except while it is known
 * to be silent. A sample without an answer proves nothing: a Patroni that was frozen answers first those that asked before.
 */
export function maySayYes({ stretches }: Pick<Track, 'stretches'>, silent: readonly Span[] = []): Span[] {
  const spans = stretches.flatMap(({ said, first, last }, index) => {
    if (said === 'no') return [];
    return [
      { fromMs: (stretches[index - 1]?.last ?? first).sentMs, toMs: (stretches[index + 1]?.first ?? last).endMs },
    ];
  });
  return subtract(spans, silent);
}

/** When a patroniglue said 200 for certain, and no answer of its Patroni within the time to live can have been the reason. */
export function unfounded({ stretches }: Pick<Track, 'stretches'>, founded: readonly Span[], ttlMs: number): Span[] {
  const reasons = union(founded.map(({ fromMs, toMs }) => ({ fromMs, toMs: toMs + ttlMs })));
  return stretches
    .filter(({ said }) => said === 'yes')
    .flatMap(({ first, last }) => {
      // Each reply was decided between question and end, so that the first and the last prove what is between them.
      if (first.endMs < last.sentMs) return subtract([{ fromMs: first.endMs, toMs: last.sentMs }], reasons);
      const only = { fromMs: first.sentMs, toMs: last.endMs };
      return intersect([only], reasons).length === 0 ? [only] : [];
    });
}

/** The changes between 200 and another status, Patroni answering before and after, and how long patroniglue took for each. */
export function changesOf(patroni: Track, patroniglue: Track): Change[] {
  return patroni.stretches.flatMap((now, index) => {
    const before = patroni.stretches[index - 1];
    if (before === undefined || before.said === 'nothing' || now.said === 'nothing') return [];
    const atMs = now.first.endMs;
    const overMs = patroni.stretches[index + 1]?.first.endMs ?? now.last.endMs;
    const said = patroniglue.stretches.findIndex(
      (ours) => ours.said === now.said && ours.last.endMs >= now.first.sentMs,
    );
    const told = patroniglue.stretches[said]?.first.endMs ?? Infinity;
    const seen = told < overMs;
    const sinceChange = (ms: number | undefined): number => Math.max(0, Math.min(ms ?? 0, overMs) - atMs);
    const lastOld: Stretch | undefined = patroniglue.stretches.at(said < 0 ? -1 : said - 1);
    return [
      {
        node: patroni.node,
        to: now.said,
        atMs,
        lagMs: sinceChange(told),
        surelyMs: said === 0 ? 0 : sinceChange(lastOld?.last.sentMs),
        seen,
      },
    ];
  });
}

function eventFindings(event: Event, endMs: number, tracks: readonly Track[]): EventFindings {
  const window = [{ fromMs: event.startMs, toMs: Math.min(endMs, lastMs(tracks)) }];
  const both = <T>(of: (by: Place['by']) => T): Record<Place['by'], T> => ({
    patroni: of('patroni'),
    patroniglue: of('patroniglue'),
  });
  const yes = (by: Place['by'], isAsked: (node: string) => boolean = () => true): Span[][] =>
    tracks.filter((track) => track.by === by && isAsked(track.node)).map((track) => intersect(saysYes(track), window));
  const isOld = (node: string): boolean => node === event.node;
  const findings = {
    event,
    two: both((by) => longestMs(shared(yes(by)))),
    none: both((by) => longestMs(subtract(window, yes(by).flat()))),
  };
  const { silent } = event;
  if (silent === undefined) return findings;
  const untilMs = Math.max(
    silent.fromMs,
    ...intersect(yes('patroniglue', isOld).flat(), [silent]).map(({ toMs }) => toMs),
  );
  const promotedMs = Math.min(
    ...yes('patroni', (node) => !isOld(node))
      .flat()
      .map(({ fromMs }) => fromMs),
  );
  return {
    ...findings,
    silence: {
      twoMs: longestMs(intersect(shared(yes('patroniglue')), [silent])),
      until503Ms: untilMs - silent.fromMs,
      marginMs: promotedMs - untilMs,
    },
  };
}

function pairsOf(tracks: readonly Track[]): { readonly patroni: Track; readonly patroniglue: Track }[] {
  return tracks
    .filter(({ by }) => by === 'patroni')
    .map((patroni) => {
      const patroniglue = tracks.find(({ node, by }) => node === patroni.node && by === 'patroniglue');
      if (patroniglue === undefined) throw new Error(`${patroni.node} has no patroniglue`);
      return { patroni, patroniglue };
    });
}

function lastMs(tracks: readonly Track[]): number {
  return Math.max(...tracks.map(({ stretches }) => stretches.at(-1)?.last.endMs ?? -Infinity));
}

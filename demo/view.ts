import { type Now, type Recording, count, isNoReply, isStatus, lookAt, serverNow, times } from './recording.js';
import type { Check } from './sampler.js';
import { ttlMs } from './stage.js';
import { storyMs } from './story.js';
import type { Style } from './style.js';
import { checkCells, createScale, paint, ruler, sceneCells, serverCells } from './timeline.js';

const LABEL = 22;
const OWN_WORDS = 19;
const WITNESSED = '  with the witness';

/** What `frame` needs. */
export const frameRows = 19;
export const frameColumns = 72;

export interface ViewOptions {
  readonly columns: number;
  readonly style: Style;
  /** What is looked at: versions. */
  readonly what: string;
  /** The primary's name. */
  readonly node: string;
}

/** The live picture at `nowMs`: lines no wider than `columns`, always the same number of them. */
export function frame(recording: Recording, nowMs: number, options: ViewOptions): readonly string[] {
  const { columns, style, what, node } = options;
  const { startedAtMs, played, direct, glue, witnessed, server, witnessedServer } = recording;
  const scale = createScale(startedAtMs, storyMs, columns - LABEL);
  const clock = `${seconds(Math.min(nowMs - startedAtMs, storyMs))} of ${seconds(storyMs)}`;
  const title = `patroniglue and ${what}`;
  const row = (label: string, cells: string): string => label.padEnd(LABEL) + cells;
  const { ok, unavailable, nothing, frozen, 'api-frozen': api } = style.glyphs;
  const words = [server, witnessedServer].map((states) => word(serverNow(states), style));
  return [
    fit(title.padEnd(columns - clock.length - 1).slice(0, columns - clock.length - 1) + ` ${clock}`, columns),
    '',
    style.bold(fit(headline(recording, nowMs), columns)),
    fit(comment(recording, nowMs), columns),
    '',
    style.dim(fit(`${'GET /primary at'.padEnd(LABEL)}${'now'.padEnd(OWN_WORDS)}   200   503  none  slowest`, columns)),
    table('Patroni, directly', direct, nowMs, options),
    table('patroniglue', glue, nowMs, options),
    table(WITNESSED, witnessed, nowMs, options),
    ...(server ? [row(`HAProxy has ${node}`, words.join(', with the witness '))] : []),
    '',
    row('Patroni', paint(sceneCells(played, scale, nowMs), style)),
    row('checks of Patroni', paint(checkCells(direct, scale, nowMs), style)),
    row('checks of patroniglue', paint(checkCells(glue, scale, nowMs), style)),
    row(WITNESSED, paint(checkCells(witnessed, scale, nowMs), style)),
    ...(server ? [row(`HAProxy has ${node}`, paint(serverCells(server, scale, nowMs), style))] : []),
    ...(witnessedServer ? [row(WITNESSED, paint(serverCells(witnessedServer, scale, nowMs), style))] : []),
    style.dim(row('', ruler(scale))),
    style.dim(
      fit(
        `${ok} runs, 200, UP  ${unavailable} 503, DOWN  ${nothing} no reply in 1 s  ${frozen} frozen  ${api} API only`,
        columns,
      ),
    ),
  ];
}

/** One line for where nothing can be redrawn. */
export function plainLine(recording: Recording, nowMs: number): string {
  const { startedAtMs, direct, glue, witnessed, server, witnessedServer } = recording;
  const parts = [
    seconds(nowMs - startedAtMs).padStart(6),
    sceneWords(recording, nowMs).padEnd(16),
    `Patroni: ${nowWords(lookAt(direct, nowMs)).padEnd(17)}`,
    `patroniglue: ${nowWords(lookAt(glue, nowMs)).padEnd(11)}`,
    `with the witness: ${nowWords(lookAt(witnessed, nowMs)).padEnd(11)}`,
    ...(server ? [`HAProxy: ${serverNow(server)}, with the witness ${serverNow(witnessedServer)}`] : []),
  ];
  return parts.join('  ').trimEnd();
}

/** `3.2 s` from a second on, `12 ms` below. */
export function duration(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : seconds(ms);
}

function sceneWords({ played }: Recording, nowMs: number): string {
  const scene = played.at(-1);
  const forS = seconds(nowMs - (scene?.startedAtMs ?? nowMs));
  if (scene?.name === 'frozen') return `frozen for ${forS}`;
  if (scene?.name === 'api-frozen') return `its API for ${forS}`;
  return played.length > 1 ? 'thawed' : 'healthy';
}

function headline({ played }: Recording, nowMs: number): string {
  const scene = played.at(-1);
  const forS = seconds(nowMs - (scene?.startedAtMs ?? nowMs));
  if (scene?.name === 'frozen') return `Patroni FROZEN for ${forS}`;
  if (scene?.name === 'api-frozen') return `Only the API of Patroni FROZEN for ${forS}`;
  return played.length > 1 ? `Patroni thawed ${forS} ago` : `Patroni healthy for ${forS}`;
}

function comment({ played, glue }: Recording, nowMs: number): string {
  const now = lookAt(glue, nowMs);
  const isGiven = now.kind === 'ended' && isStatus(200)(now.outcome);
  const ttl = `ttl ${ttlMs / 1000} s`;
  if (played.at(-1)?.name === 'api-frozen') {
    return isGiven
      ? `The API is silent. Its last answer still counts (${ttl}).`
      : 'The leader key is renewed and PostgreSQL serves: the witness sees it.';
  }
  if (played.at(-1)?.name === 'frozen') {
    return isGiven
      ? `It accepts connections and is silent. Its last answer still counts (${ttl}).`
      : `It accepts connections and is silent. Its last answer ran out (${ttl}): 503.`;
  }
  return isGiven
    ? 'patroniglue gives what Patroni said last, at once.'
    : 'patroniglue asks again every second; until it has an answer it says 503.';
}

function table(label: string, checks: readonly Check[], nowMs: number, { columns, style }: ViewOptions): string {
  const now = lookAt(checks, nowMs);
  const words = nowWords(now).padEnd(OWN_WORDS);
  const colour = now.kind !== 'ended' || isNoReply(now.outcome) ? style.bad : style.warning;
  const isGood = now.kind === 'ended' && isStatus(200)(now.outcome);
  const numbers = [isStatus(200), isStatus(503), isNoReply].map((is) => String(count(checks, is)).padStart(6)).join('');
  const slowest = duration(Math.max(0, ...times(checks))).padStart(9);
  const width = columns - LABEL - OWN_WORDS;
  return `${label.padEnd(LABEL)}${(isGood ? style.good : colour)(words)}${fit(numbers + slowest, width)}`;
}

function nowWords(now: Now): string {
  switch (now.kind) {
    case 'nothing-yet':
      return '';
    case 'waiting':
      return `waiting for ${seconds(now.forMs)}`;
    case 'ended':
      if (now.outcome.kind === 'status') return `${now.outcome.status} in ${duration(now.tookMs)}`;
      return now.outcome.kind === 'hung' ? `no reply in ${seconds(now.tookMs)}` : 'connection failed';
  }
}

function word(status: string, style: Style): string {
  return (status.startsWith('UP') ? style.good : style.warning)(status);
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function fit(text: string, columns: number): string {
  return text.slice(0, columns);
}

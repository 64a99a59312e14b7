import { performance } from 'node:perf_hooks';
import type { WriteStream } from 'node:tty';
import type { Patroni } from './patroni.js';
import type { Recording } from './recording.js';
import { type Sampler, check, sample } from './sampler.js';
import { createScreen } from './screen.js';
import type { Glue, Stage } from './stage.js';
import { type Played, play } from './story.js';
import type { Style } from './style.js';
import { frame, frameColumns, frameRows, plainLine } from './view.js';

const CHECK_EVERY_MS = 200;
/** As HAProxy's `timeout check` in examples/haproxy.cfg. */
const CHECK_DEADLINE_MS = 1000;
const REDRAW_EVERY_MS = 100;
const LINE_EVERY_MS = 500;

/**
 * Plays the story and shows it while it lasts: on a terminal that is large enough one picture, redrawn in place;
 * elsewhere lines. Resolves with all that was seen.
 */
export async function show(patroni: Patroni, stage: Stage, stdout: WriteStream, style: Style): Promise<Recording> {
  const [primary] = patroni.nodes;
  const { without, witnessed: withIt } = stage;
  const played: Played[] = [];
  const direct = sample(CHECK_EVERY_MS, () => check(primary.restPort, '/primary', CHECK_DEADLINE_MS));
  const glue = sample(CHECK_EVERY_MS, () => check(without.port, '/primary', CHECK_DEADLINE_MS));
  const witnessed = sample(CHECK_EVERY_MS, () => check(withIt.port, '/primary', CHECK_DEADLINE_MS));
  const server = sampleServer(without);
  const witnessedServer = sampleServer(withIt);
  const recording: Recording = {
    startedAtMs: performance.now(),
    played,
    direct: direct.samples,
    glue: glue.samples,
    witnessed: witnessed.samples,
    server: server?.samples,
    witnessedServer: witnessedServer?.samples,
  };
  const display = createDisplay(recording, stdout, { style, what: patroni.what, node: primary.name });
  try {
    await play(patroni, played);
  } finally {
    display.end();
    await Promise.all([direct, glue, witnessed, server, witnessedServer].map(async (sampler) => sampler?.stop()));
  }
  return recording;
}

function sampleServer({ serverStatus }: Glue): Sampler<string | undefined> | undefined {
  return serverStatus && sample(CHECK_EVERY_MS, () => serverStatus().catch(() => undefined));
}

function createDisplay(
  recording: Recording,
  stdout: WriteStream,
  options: { readonly style: Style; readonly what: string; readonly node: string },
): { end(): void } {
  const isLarge = stdout.columns >= frameColumns && stdout.rows > frameRows;
  if (!stdout.isTTY || process.env['TERM'] === 'dumb' || !isLarge) {
    const timer = setInterval(() => {
      stdout.write(`${plainLine(recording, performance.now())}\n`);
    }, LINE_EVERY_MS);
    return {
      end: () => {
        clearInterval(timer);
      },
    };
  }
  const screen = createScreen(stdout);
  const draw = (): void => {
    // One column less than there is: a line that reached the edge would wrap in some terminals.
    screen.draw(frame(recording, performance.now(), { ...options, columns: Math.min(stdout.columns, 121) - 1 }));
  };
  const timer = setInterval(draw, REDRAW_EVERY_MS);
  return {
    end: () => {
      clearInterval(timer);
      draw();
      screen.end();
    },
  };
}

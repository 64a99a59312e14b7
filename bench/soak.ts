import { parseArgs } from 'node:util';
import { nowMs } from '../test/support/time/monotonic.js';
import { describeMachine } from './support/machine.js';
import { BRISK_PACE } from './support/processes.js';
import { brokenBounds, toMarkdown } from './support/report.js';
import { type Round, runRound } from './soak/rounds.js';
import { startSoakService } from './soak/service.js';
import { STEPS, type Scene } from './soak/steps.js';
import { brokenOverall, describeResources, rowsOf } from './soak/verdict.js';
import { startBenchUpstream } from './support/upstream.js';

const help = `Usage: npm run soak -- [--minutes N | --seconds N] [--rate N]

Checks the service at a steady rate, each check on a fresh connection. Meanwhile, everything around the service fails, one
thing after another, in rounds. After each round, the soak measures memory and other resources of the service. They must
not grow, the service must answer every check, and no 200 may be too old.

  --minutes N  duration in minutes (10)
  --seconds N  duration in seconds; the shortest run is a warm-up and two rounds, half a minute
  --rate N     checks per second, 50 to 5000 (500)
  --help       print this text

Exit code: 0 if the service keeps every bound, 1 if it breaks one, 2 for wrong usage.
`;

/** The warm-up, a first round, and a second round to compare with the first. */
const LEAST_ROUNDS = 3;

/** The service writes this much log at any rate: more than a pipe and its buffer can take while nobody reads. */
const LOG_BYTES_A_SECOND = 2_000_000;

process.exitCode = await main();

async function main(): Promise<number> {
  const options = readOptions();
  if (typeof options === 'string') {
    process.stderr.write(`${options}\nTry: npm run soak -- --help\n`);
    return 2;
  }
  if (options.help) {
    process.stdout.write(help);
    return 0;
  }
  const rounds: Round[] = [];
  const failed = await soak(options, rounds);
  const title =
    `${options.perSecond} checks a second, each on a fresh connection, while these come in turn: ` +
    `${STEPS.map(({ name }) => name).join(', ')}; ttl ${BRISK_PACE.ttl} s, interval ${BRISK_PACE.interval} s. ` +
    'The resources are measured between two rounds, at rest and after a garbage collection.';
  const results = [{ name: 'soak', title, rows: rowsOf(rounds) }];
  process.stdout.write(`${toMarkdown(describeMachine(), results)}\n`);
  const broken = [...failed, ...brokenBounds(results), ...(rounds.length > 0 ? brokenOverall(rounds) : [])];
  for (const sentence of broken) process.stderr.write(`bound broken: ${sentence}\n`);
  return broken.length === 0 ? 0 : 1;
}

/** Adds to `rounds`. Resolves with a sentence if the run failed early. */
async function soak({ durationMs, perSecond }: Options, rounds: Round[]): Promise<string[]> {
  const startedMs = nowMs();
  const passedMs = (): number => nowMs() - startedMs;
  const onStep = (text: string): void => {
    process.stderr.write(`${(passedMs() / 1000).toFixed(1).padStart(6)} s  ${text}\n`);
  };
  const upstream = await startBenchUpstream();
  const service = await startSoakService(upstream.port, Math.ceil(LOG_BYTES_A_SECOND / perSecond));
  const scene: Scene = { service, upstream, lags: 0 };
  let step = 'start';
  let roundMs = 0;
  try {
    while (rounds.length < LEAST_ROUNDS || passedMs() + roundMs <= durationMs) {
      const begunMs = passedMs();
      const label = rounds.length === 0 ? 'warm-up' : `round ${rounds.length}`;
      const round = await runRound(scene, perSecond, (name) => {
        step = `${label}: ${name}`;
        onStep(step);
      });
      rounds.push(round);
      roundMs = passedMs() - begunMs;
      onStep(`${label}: heap ${(round.state.heapBytes / 1000).toFixed(0)} kB, ${describeResources(round)}`);
    }
    return [];
  } catch (error) {
    return [`${step}: ${(error as Error).message}`];
  } finally {
    await service.close();
    await scene.upstream.close();
  }
}

interface Options {
  readonly durationMs: number;
  readonly perSecond: number;
  readonly help: boolean;
}

function readOptions(): Options | string {
  try {
    const { values } = parseArgs({
      options: {
        minutes: { type: 'string' },
        seconds: { type: 'string' },
        rate: { type: 'string', default: '500' },
        help: { type: 'boolean', default: false },
      },
    });
    const { minutes = values.seconds === undefined ? '10' : undefined, seconds } = values;
    if (minutes !== undefined && seconds !== undefined) return '--minutes and --seconds exclude each other';
    const durationMs = minutes === undefined ? Number(seconds) * 1000 : Number(minutes) * 60_000;
    if (!(durationMs > 0 && durationMs < Infinity)) return '--minutes and --seconds are numbers greater than 0';
    const perSecond = Number(values.rate);
    if (!Number.isInteger(perSecond) || perSecond < 50 || perSecond > 5000) {
      return '--rate is a whole number from 50 to 5000';
    }
    return { durationMs, perSecond, help: values.help };
  } catch (error) {
    return (error as Error).message;
  }
}

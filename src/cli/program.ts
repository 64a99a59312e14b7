import { inspect } from 'node:util';
import { type Observable, ReplaySubject, from } from 'rxjs';
import { type Invocation, parseArguments } from './arguments.js';
import { defaultConfig } from '../config/default-file.js';
import { variablesIn } from '../config/environment.js';
import { loadConfig } from '../config/load.js';
import type { LoadedConfig } from '../config/types.js';
import { cutOffIn } from '../config/losses.js';
import { ConfigError, ListenError, NotifyError, UsageError } from '../errors.js';
import { isJournal, priorityOf } from '../log/journal.js';
import { foreignAnswersIn } from './backend-remedies.js';
import { closedFiles } from './closed-files.js';
import { examine } from './doctor/doctor.js';
import { gather } from './doctor/gather.js';
import { EXIT_CODES } from './doctor/report.js';
import { runInit } from './init/init.js';
import { askOnce, tableOf } from './live-check.js';
import { readLiveWitness } from './live-witness.js';
import { listenAddressesOf, tryListenAddresses } from './live-listen.js';
import { onlyFromHere } from '../network/loopback.js';
import { memberWarning } from '../streams/member-watch.js';
import { notify } from './notify.js';
import { serve } from '../service/service.js';
import { usage } from './usage.js';
import { version } from '../version.js';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

/** The signals that the process gets. */
export interface Signals {
  /** The signal that ends the service: SIGTERM or SIGINT. */
  readonly stop: Promise<NodeJS.Signals>;
  /** Each SIGHUP: read the configuration again. */
  readonly hangUp$: Observable<unknown>;
  /** SIGUSR1 and SIGUSR2, at which other programs open their log files again. Here they have no effect. */
  readonly ignored$: Observable<NodeJS.Signals>;
}

/** Does what the command line asks for. Resolves with the exit code at the end: for the service, after the stop signal. */
export async function runProgram(argv: readonly string[], signals: Signals): Promise<number> {
  try {
    return await run(
      parseArguments(argv, () => defaultConfig({ environment: process.env })),
      signals,
    );
  } catch (error) {
    const exitCode = printError(error);
    return argv.includes('--doctor') ? EXIT_CODES.UNKNOWN : exitCode; // to Nagios, 2 would be CRITICAL
  }
}

async function run(invocation: Invocation, { stop, hangUp$, ignored$ }: Signals): Promise<number> {
  switch (invocation.kind) {
    case 'help':
      process.stdout.write(usage);
      return 0;
    case 'version':
      process.stdout.write(`${version}\n`);
      return 0;
    case 'check':
      return check(invocation);
    case 'notify':
      await notify((await load(invocation)).config);
      return 0;
    case 'init': {
      const { stdout, stderr, exitCode } = await runInit(invocation, process.env);
      process.stdout.write(stdout);
      process.stderr.write(stderr);
      return exitCode;
    }
    case 'doctor': {
      const { text, exitCode } = await examine(invocation, process.env, gather);
      process.stdout.write(text);
      return exitCode;
    }
    case 'run':
      await serve(await load(invocation), invocation.level, {
        stop$: from(stop),
        hangUp$,
        ignored$,
        uncaught$: uncaught(),
      });
      return 0;
  }
}

/** Errors with the first uncaught exception from now on, until the process ends. Such an exception is a bug. */
function uncaught(): Observable<never> {
  const error$ = new ReplaySubject<never>(1);
  process.on('uncaughtException', (error) => {
    error$.error(error);
  });
  return error$.asObservable();
}

function load({ config }: { readonly config: string | undefined }): Promise<LoadedConfig> {
  return loadConfig(config, undefined, process.env);
}

async function check(invocation: Extract<Invocation, { kind: 'check' }>): Promise<number> {
  const loaded = await load(invocation);
  const { config, file, text: read, environment } = loaded;
  const { live } = invocation;
  const cutOff = cutOffIn(read); // only here: in the log it would be a line at each start, for a matter of taste
  const warnings = [
    ...config.warnings,
    ...(cutOff ? [`${file ?? ''}:${cutOff.line}:${cutOff.column}: ${cutOff.message}`] : []),
    ...(await closedFiles(loaded)),
  ];
  let addressWarning: string | undefined;
  const answers = live ? await askOnce(config, (warning) => (addressWarning = warning)) : [];
  const membersWarning = memberWarning(
    answers.flatMap(({ outcome }) => (outcome.kind === 'answered' ? [outcome.answer] : [])),
  );
  warnings.push(...[addressWarning, membersWarning].filter((text) => text !== undefined));
  const witness = live ? await readLiveWitness(config, answers) : undefined;
  const listenAddresses = live ? await tryListenAddresses(config) : listenAddressesOf(config);
  const problems = listenAddresses.flatMap(({ section, problem }) =>
    problem === undefined ? [] : [`${section}.host: ${problem}`],
  );
  const lines = [
    ...warnings.map((warning) => `warning: ${warning}`),
    ...listenAddresses
      .filter(({ isLoopback }) => isLoopback)
      .map(({ section, host }) => `note: ${section}.host: ${host} is ${onlyFromHere(section)}`),
    ...variablesIn(environment).map((variable) => `note: ${variable} is in force, whatever a file says`),
    ...(problems.length > 0
      ? problems.map((problem) => `error: ${problem}`)
      : [`configuration ok: ${file ?? 'environment'}`]),
  ];
  const text = live ? [...lines, '', ...tableOf(answers, config), ...(witness ? ['', witness.text] : [])] : lines;
  process.stdout.write(`${text.join('\n')}\n`);
  const isByPatroni = foreignAnswersIn(answers).length === 0;
  const isAnswered =
    answers.every(({ outcome }) => outcome.kind === 'answered') && isByPatroni && witness?.isUsable !== false;
  return problems.length === 0 && isAnswered ? 0 : EXIT_FAILED;
}

/** Prints an error that the user can correct as plain lines, and any other error, a bug, with its stack. */
function printError(error: unknown): number {
  const isForUser =
    error instanceof ConfigError ||
    error instanceof UsageError ||
    error instanceof ListenError ||
    error instanceof NotifyError;
  const text = isForUser ? error.message : inspect(error);
  const priority = isJournal(process.stderr.fd) ? priorityOf('error') : '';
  process.stderr.write(`${text.replace(/^/gm, priority)}\n`);
  return error instanceof ConfigError || error instanceof UsageError ? EXIT_USAGE : EXIT_FAILED;
}

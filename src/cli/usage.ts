/** The command line, for `--help` and for the manual page. */
const SYNOPSIS = [
  '[--config FILE] [--verbose | --debug | --quiet]',
  '[--config FILE] --check [--live]',
  '[--config FILE] --doctor [--haproxy FILE] [--json]',
  '[--config FILE] --notify',
  '--init FILE [--haproxy FILE] [--output FILE]',
] as const;

const PURPOSE = "Polls Patroni's REST API and answers health checks from the latest snapshot.";

/** Every option, with the name of its value, and what it means. */
export const OPTIONS: readonly (readonly [option: string, meaning: string])[] = [
  ['--config FILE', 'configuration (default: see below)'],
  ['--check', 'check the configuration and the files that it names, then exit'],
  ['--live', 'with --check: ask Patroni and the witness, once'],
  ['--doctor', 'look at everything that matters, and say what to do'],
  ['--json', 'with --doctor: print JSON'],
  ['--notify', 'make the running service poll Patroni now: for callbacks'],
  ['--init FILE', "print a configuration, made from Patroni's own FILE"],
  ['--output FILE', 'with --init: write FILE, and keep the former one as FILE.bak'],
  ['--haproxy FILE', 'with --init, --doctor: HAProxy checks by this FILE'],
  ['--verbose', 'also log each request'],
  ['--debug', 'also log each request and each poll'],
  ['--quiet', 'log only errors'],
  ['--version', 'print the version, then exit'],
  ['--help', 'print this text, then exit'],
];

const DEFAULT_FILES = [
  'Without --config, patroniglue reads /etc/patroniglue/config.yml. If this file',
  'does not exist, it reads $HOME/.patroniglue.yml.',
] as const;

const ENVIRONMENT = [
  'Variables win over the file: PATRONIGLUE_CACHE_TTL is cache.ttl, and so on for',
  'each key. With one of them, no file is needed.',
] as const;

const ONE_DASH = 'The options of the Go program also work with one dash: -config FILE.';

const SIGNALS = [
  'SIGTERM and SIGINT end the service within a second. At SIGHUP it reads its',
  'configuration, certificates and keys again.',
] as const;

const EXIT_CODES: readonly (readonly [code: string, meaning: string])[] = [
  ['0', 'ended on request'],
  ['1', 'could not listen; --live, --notify: no answer; --output: more is to be done'],
  ['2', 'wrong usage or configuration'],
];

const DOCTOR_EXIT_CODES = 'With --doctor, as a plugin of Nagios: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.';

/** What `--help` prints. */
export const usage = `${SYNOPSIS.map((line, index) => `${index === 0 ? 'Usage:' : '      '} patroniglue ${line}`).join('\n')}

${PURPOSE}

${OPTIONS.map(([option, meaning]) => `  ${option.padEnd(14)}  ${meaning}`).join('\n')}

${DEFAULT_FILES.join('\n')}
${ENVIRONMENT.join('\n')}
${ONE_DASH}

${SIGNALS.join('\n')}

Exit codes:
${EXIT_CODES.map(([code, meaning]) => `  ${code}  ${meaning}`).join('\n')}
${DOCTOR_EXIT_CODES}
`;

/** The manual page, patroniglue(8), in the language of man(7). */
export function manualPage(version: string): string {
  const paragraph = (term: string, text: string): string => `.TP\n.B ${roff(term)}\n${roff(text)}`;
  return `.TH PATRONIGLUE 8 "" "patroniglue ${version}" "System Administration"
.SH NAME
patroniglue \\- health checks for PostgreSQL clusters run by Patroni
.SH SYNOPSIS
${SYNOPSIS.map((line) => `.B patroniglue\n${roff(line)}`).join('\n.br\n')}
.SH DESCRIPTION
${roff(PURPOSE)}
A check never waits for Patroni.
If the latest answer is older than its time to live, patroniglue answers with 503.
.SH OPTIONS
${OPTIONS.map(([option, meaning]) => paragraph(option, meaning)).join('\n')}
.PP
${roff(ONE_DASH)}
.SH SIGNALS
${SIGNALS.map(roff).join('\n')}
.SH EXIT STATUS
${EXIT_CODES.map(([code, meaning]) => paragraph(code, meaning)).join('\n')}
.PP
${roff(DOCTOR_EXIT_CODES)}
.SH ENVIRONMENT
${ENVIRONMENT.map(roff).join('\n')}
Lists have commas, or are in YAML. An empty variable counts as absent.
.SH FILES
.TP
.I /etc/patroniglue/config.yml
The configuration, unless \\-\\-config names another file; config.yml.example in the package has every key.
.TP
.I $HOME/.patroniglue.yml
The configuration, if /etc/patroniglue/config.yml does not exist.
.SH SEE ALSO
.BR patroniglue.yml (5),
.BR patroni (1),
.BR haproxy (1)
`;
}

/** Escapes for roff: a hyphen is a minus, as on a command line; a line must not begin like a roff request. */
export function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^(?=[.'])/gm, '\\&');
}

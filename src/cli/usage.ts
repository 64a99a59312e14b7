/** What is told of the command line, by `--help` and by the manual page alike. */
const SYNOPSIS = [
  '[--config FILE] [--verbose | --debug | --quiet]',
  '[--config FILE] --check [--live]',
  '[--config FILE] --notify',
] as const;

const PURPOSE = "Polls Patroni's REST API and answers health checks from the latest snapshot.";

const OPTIONS: readonly (readonly [option: string, meaning: string])[] = [
  ['--config FILE', 'configuration (default: see below)'],
  ['--check', 'check the configuration and the files that it names, then exit'],
  ['--live', 'with --check: also ask Patroni each configured route, once'],
  ['--notify', 'have the running service ask Patroni now: for its callbacks'],
  ['--verbose', 'also log each request'],
  ['--debug', 'also log each request and each poll'],
  ['--quiet', 'log errors alone'],
  ['--version', 'print the version, then exit'],
  ['--help', 'print this text, then exit'],
];

const DEFAULT_FILES = [
  'Without --config it reads /etc/patroniglue/config.yml, or where that is not',
  'there $HOME/.patroniglue.yml.',
] as const;

const ONE_DASH = "The Go program's spellings with one dash are accepted too: -config FILE.";

const SIGNALS = [
  'SIGTERM and SIGINT end the service within a second; SIGHUP reads configuration,',
  'certificates and keys again.',
] as const;

const EXIT_CODES: readonly (readonly [code: string, meaning: string])[] = [
  ['0', 'ended as asked'],
  ['1', 'could not run: port taken, no right to listen; --live, --notify: no answer'],
  ['2', 'wrong usage or configuration'],
];

/** What `--help` prints. */
export const usage = `${SYNOPSIS.map((line, index) => `${index === 0 ? 'Usage:' : '      '} patroniglue ${line}`).join('\n')}

${PURPOSE}

${OPTIONS.map(([option, meaning]) => `  ${option.padEnd(13)}  ${meaning}`).join('\n')}

${DEFAULT_FILES.join('\n')}
${ONE_DASH}

${SIGNALS.join('\n')}

Exit codes:
${EXIT_CODES.map(([code, meaning]) => `  ${code}  ${meaning}`).join('\n')}
`;

/** The manual page, patroniglue(1), in the language of man(7). */
export function manualPage(version: string): string {
  const paragraph = (term: string, text: string): string => `.TP\n.B ${roff(term)}\n${roff(text)}`;
  return `.TH PATRONIGLUE 1 "" "patroniglue ${version}" "User Commands"
.SH NAME
patroniglue \\- health checks for PostgreSQL clusters run by Patroni
.SH SYNOPSIS
${SYNOPSIS.map((line) => `.B patroniglue\n${roff(line)}`).join('\n.br\n')}
.SH DESCRIPTION
${roff(PURPOSE)}
A check never waits for Patroni, and an answer older than its time to live is 503.
.SH OPTIONS
${OPTIONS.map(([option, meaning]) => paragraph(option, meaning)).join('\n')}
.PP
${roff(ONE_DASH)}
.SH SIGNALS
${SIGNALS.map(roff).join('\n')}
.SH EXIT STATUS
${EXIT_CODES.map(([code, meaning]) => paragraph(code, meaning)).join('\n')}
.SH FILES
.TP
.I /etc/patroniglue/config.yml
The configuration, unless another is named; config.yml.example in the package has every key.
.TP
.I $HOME/.patroniglue.yml
The same, where that file is not there.
.SH SEE ALSO
.BR patroni (1),
.BR haproxy (1)
`;
}

/** A hyphen is a minus on a command line, and a line must not begin as a request. */
function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^(?=[.'])/gm, '\\&');
}

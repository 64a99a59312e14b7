import { parseArgs } from 'node:util';

/** What the command line asks for. */
export type Invocation =
  | { readonly kind: 'run'; readonly yes: boolean; readonly scripted: boolean }
  | { readonly kind: 'help' }
  | { readonly kind: 'error'; readonly message: string };

/** What `--help` prints. */
export const usage = `Usage: npm run demo -- [--yes] [--scripted]

Starts a two-node Patroni cluster, patroniglue and HAProxy on loopback. Freezes the primary's Patroni twice, and then its
REST API alone. Shows what a health check sees at Patroni itself, at a patroniglue, and at a patroniglue with the witness.
Takes about a minute and a half, and leaves nothing running.

  --yes       install what is missing (apt-get, as root) without asking
  --scripted  a scripted Patroni instead of the real one: nothing is installed
  --help      print this text, then exit

Exit codes:
  0    everything happened as promised
  1    something did not, or could not be started
  2    wrong usage
  130  interrupted (Ctrl-C)
`;

const options = {
  yes: { type: 'boolean' },
  scripted: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** Reads the command line, without program and script. */
export function parseOptions(argv: readonly string[]): Invocation {
  try {
    const { values } = parseArgs({ args: [...argv], options, allowPositionals: false });
    if (values.help === true) return { kind: 'help' };
    return { kind: 'run', yes: values.yes === true, scripted: values.scripted === true };
  } catch {
    // In words of our own: parseArgs's differ between Node's versions, and take two sentences.
    const known = /^(?:--(?:yes|scripted|help)|-h)$/;
    const wrong = argv.find((arg) => !known.test(arg)) ?? '';
    return { kind: 'error', message: `demo: unknown argument ${JSON.stringify(wrong)} (try --help)` };
  }
}

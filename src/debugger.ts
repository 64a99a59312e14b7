/** On a busy machine, Node's thread may open the debugger late. */
const LOOK_EVERY_MS = 20;
const LOOK_FOR_MS = 2000;

/**
 * Closes Node's debugger if a SIGUSR1 opened it before this program handled the signal. Node handles SIGUSR1 some tens of
 * milliseconds before our first line runs, and through the debugger any user of this host could run code in the service.
 * Node's option `--disable-sigusr1` (from 22.14 on) is no way out: with it, the signal kills the process in these
 * milliseconds. If the debugger was asked for (`--inspect`), it stays open.
 *
 * @param onClosed called after the debugger was closed
 */
export async function keepDebuggerClosed(onClosed: () => void): Promise<void> {
  if (!process.features.inspector || isInspectRequested()) return;
  const inspector = await import('node:inspector');
  const look = (): void => {
    if (inspector.url() === undefined) return;
    inspector.close();
    onClosed();
  };
  look();
  setImmediate(look);
  const looking = setInterval(look, LOOK_EVERY_MS).unref();
  setTimeout(() => {
    clearInterval(looking);
  }, LOOK_FOR_MS).unref();
}

function isInspectRequested(): boolean {
  return [...process.execArgv, process.env['NODE_OPTIONS'] ?? ''].some((option) => option.includes('--inspect'));
}

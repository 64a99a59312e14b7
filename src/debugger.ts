/** Node's thread that opens it may come late on a busy machine. */
const LOOK_EVERY_MS = 20;
const LOOK_FOR_MS = 2000;

/**
 * Closes Node's debugger where a SIGUSR1 has opened it before this program listened to that signal: it comes with Node, some
 * tens of milliseconds before our first line runs, and any user of this host could run code in the service by it. There is an
 * option against it, `--disable-sigusr1`, from Node 22.14 on; with that the same signal kills the process in those milliseconds.
 * Where the debugger was asked for (`--inspect`), it stays.
 *
 * @param onClosed told of one that was closed
 */
export async function keepDebuggerClosed(onClosed: () => void): Promise<void> {
  if (!process.features.inspector || isAskedFor()) return;
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

function isAskedFor(): boolean {
  return [...process.execArgv, process.env['NODE_OPTIONS'] ?? ''].some((option) => option.includes('--inspect'));
}

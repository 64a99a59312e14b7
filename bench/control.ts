import { startChild } from '../test/support/child.js';
import { SERVICE_CORE } from '../test/support/cores.js';

/**
 * The least that a Node server can be, on the service's core: it answers a constant. What delays it too (another program
 * on the machine, the load generator) is no fault of the service's.
 */
export interface Control {
  readonly port: number;
  close(): Promise<void>;
}

/** Starts it; closed by the caller. */
export async function startControl(): Promise<Control> {
  const child = await startChild<object, number>(new URL('./control-process.js', import.meta.url), SERVICE_CORE);
  const port = await child.ask({});
  return { port, close: () => child.close() };
}

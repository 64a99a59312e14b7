// Loaded into the service by Node's --import, together with --expose-gc: see soak-service.ts. It answers every message with
// what the process holds, and keeps nothing alive itself. `process.send('ready')` is left to the service.

/** What the service holds, seen from inside after a collection of garbage. */
export interface Held {
  readonly heapBytes: number;
  /** Outside of V8's heap, buffers included. */
  readonly externalBytes: number;
  readonly bufferBytes: number;
  /**
   * The number of resources of each type that keep the event loop alive: `TCPServerWrap`, `Timeout`. Leaks of other
   * resources (`unref`) show in the heap, and leaks of sockets in the open files.
   */
  readonly resources: Readonly<Record<string, number>>;
}

process.on('message', () => {
  globalThis.gc?.();
  // What the first collection finalised is let go of in the next turn.
  setImmediate(() => {
    globalThis.gc?.();
    process.send?.({ reply: held() });
  });
});
process.once('disconnect', () => process.exit()); // our parent is gone
process.channel?.unref();

function held(): Held {
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  const resources: Record<string, number> = {};
  for (const type of process.getActiveResourcesInfo()) resources[type] = (resources[type] ?? 0) + 1;
  return { heapBytes: heapUsed, externalBytes: external, bufferBytes: arrayBuffers, resources };
}

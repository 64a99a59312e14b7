/** Parts of Node's `fetch`. Each is a getter: the first read makes Node load undici, with its WebAssembly. */
const NAMES = ['FormData', 'Request', 'Response'] as const;

const hidden = NAMES.map((name) => ({ name, property: Object.getOwnPropertyDescriptor(globalThis, name) }));
for (const name of NAMES) Reflect.deleteProperty(globalThis, name);

/** Puts back what this module has removed when it was imported. */
export function showFetch(): void {
  for (const { name, property } of hidden) if (property) Object.defineProperty(globalThis, name, property);
}

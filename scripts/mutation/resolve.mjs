/** Resolves `node:test` to node-test.mjs. */
export function resolve(specifier, context, next) {
  if (specifier !== 'node:test') return next(specifier, context);
  return { url: import.meta.url.replace('resolve.mjs', 'node-test.mjs'), shortCircuit: true };
}

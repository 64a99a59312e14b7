// Removes parts of `fetch`, which patroniglue does not use. When axios is imported, it looks at them, and the first look makes
// Node load undici with its WebAssembly: more than 5 MB that stay. They cannot be put back: to read their descriptors is a look.
for (const name of ['FormData', 'Request', 'Response']) Reflect.deleteProperty(globalThis, name);

export {};

import { after } from 'node:test';

const leftovers = new Set<() => unknown>();

// At the root of each test file, since it is run when the file's first import is. Not in bench/, which runs without a test runner.
if (process.env['NODE_TEST_CONTEXT'] !== undefined) after(() => Promise.all([...leftovers].map((close) => close())));

/**
 * Has something closed when all tests of the file have ended. A test that fails does not come to close what it began with,
 * and a process or a server that is left would keep the file running until its time limit. Must bear to be closed twice.
 * Returns what forgets it again.
 */
export function closeAtTheEnd(close: () => unknown): () => void {
  leftovers.add(close);
  return () => leftovers.delete(close);
}

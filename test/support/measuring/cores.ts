import { accessSync, constants } from 'node:fs';
import { availableParallelism } from 'node:os';
import { delimiter, join } from 'node:path';

/** The core of the service under test; everything else runs on {@link OTHERS_CORE}. */
export const SERVICE_CORE = 1;
export const OTHERS_CORE = 0;

/** util-linux's taskset; `undefined` where it is missing or would do nothing, since there is one core. */
export const taskset = availableParallelism() > 1 ? inPath('taskset') : undefined;

function inPath(name: string): string | undefined {
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((dir) => join(dir, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

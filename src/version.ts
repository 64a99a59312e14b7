import { readFileSync } from 'node:fs';

const packageFile = new URL('../../package.json', import.meta.url);

/** The version in package.json, which is two folders above the built file, in a checkout as well as in the package. */
export const version = (JSON.parse(readFileSync(packageFile, 'utf8')) as { version: string }).version;

import { readFileSync } from 'node:fs';

const packageFile = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');

/** The version in package.json, which is two folders above the compiled file. */
export const version = (JSON.parse(packageFile) as { version: string }).version;

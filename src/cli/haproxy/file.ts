import { readText } from '../text-file.js';
import { type HaproxyFile, agentsAloneIn, checksIn } from './checks.js';

/** What the health checks in the text of a haproxy.cfg ask. Never throws. */
export function haproxyIn(file: string, text: string): HaproxyFile {
  return { file, checks: checksIn(text), agentsAlone: agentsAloneIn(text) };
}

/**
 * Reads what the health checks of a haproxy.cfg ask.
 *
 * @throws ConfigError if the file cannot be read, or is not UTF-8
 */
export async function readHaproxy(file: string): Promise<HaproxyFile> {
  return haproxyIn(file, await readText(file));
}

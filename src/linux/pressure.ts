import { readFile } from 'node:fs/promises';

/** The share of the last ten seconds in which tasks waited for a resource, in per cent: pressure stall information. */
export interface Pressure {
  /** At least one task waited. */
  readonly some: number;
  /** All tasks waited that had something to do. */
  readonly full: number;
}

/** The pressure in the text of `/proc/pressure/memory` or `/proc/pressure/io`; `undefined` if it has another form. */
export function pressureIn(text: string): Pressure | undefined {
  const shareOf = (line: string): number => Number(new RegExp(`^${line} avg10=([\\d.]+) `, 'm').exec(text)?.[1] ?? NaN);
  const [some, full] = [shareOf('some'), shareOf('full')];
  return Number.isNaN(some) || Number.isNaN(full) ? undefined : { some, full };
}

/** The pressure on a resource of this host; `undefined` if the kernel does not tell it. Never rejects. */
export async function readPressure(resource: 'memory' | 'io'): Promise<Pressure | undefined> {
  const text = await readFile(`/proc/pressure/${resource}`, 'utf8').catch(() => '');
  return pressureIn(text);
}

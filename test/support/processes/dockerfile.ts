import { cpSync, mkdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';

/** One line of a Dockerfile: `COPY`, say, and what follows it. */
export interface Instruction {
  readonly name: string;
  readonly value: string;
}

/** From a `FROM` to the next. `name` is what other stages call it by, empty if they cannot. */
export interface Stage {
  readonly name: string;
  readonly instructions: readonly Instruction[];
}

/** The stages of a Dockerfile, without comments, continued lines joined. */
export function parseDockerfile(text: string): readonly Stage[] {
  const lines = text.replace(/^\s*#.*\n/gm, '').replaceAll('\\\n', ' ');
  const stages: { name: string; instructions: Instruction[] }[] = [];
  for (const line of lines.split('\n')) {
    const [, name, value] = /^\s*([A-Z]+)\s+(.*?)\s*$/.exec(line) ?? [];
    if (name === undefined || value === undefined) continue;
    if (name === 'FROM') stages.push({ name: / AS (\S+)$/.exec(value)?.[1] ?? '', instructions: [] });
    else stages.at(-1)?.instructions.push({ name, value });
  }
  return stages;
}

/** The value of the last instruction of that name in a stage. Throws if there is none. */
export function instruction(stage: Stage | undefined, name: string): string {
  const found = stage?.instructions.findLast((one) => one.name === name);
  if (found === undefined) throw new Error(`no ${name} in this stage of the Dockerfile`);
  return found.value;
}

/** An instruction in exec form, such as `["node", "main.js"]`. */
export function execForm(stage: Stage | undefined, name: string): readonly string[] {
  return JSON.parse(instruction(stage, name).replace(/^.*?(?=\[)/, '')) as string[];
}

/** Where the instructions of a stage take effect. */
interface Followed {
  /** What is the image's `/`. */
  readonly root: string;
  /** What a `COPY` without `--from` copies from. */
  readonly context: string;
  /** The `/` of another stage. */
  readonly rootOf: (stage: string) => string;
  readonly run: (command: string, cwd: string) => Promise<unknown>;
}

/**
 * Does what `WORKDIR`, `COPY` and `RUN` say, in a directory in place of the image's `/`. No more of COPY than its rules for
 * plain names: a directory's content goes into the target, a file into a target that ends with a slash. `.dockerignore` is
 * not read.
 *
 * @returns the working directory at the end
 */
export async function followStage(stage: Stage, { root, context, rootOf, run }: Followed): Promise<string> {
  let cwd = root;
  for (const { name, value } of stage.instructions) {
    if (name === 'WORKDIR') mkdirSync((cwd = join(root, value)), { recursive: true });
    if (name === 'RUN') await run(value, cwd);
    if (name !== 'COPY') continue;
    const [, from, names = ''] = /^(?:--from=(\S+)\s+)?(.*)$/.exec(value) ?? [];
    const sources = names.split(/\s+/);
    const target = sources.pop() ?? '';
    for (const source of sources.map((one) => join(from === undefined ? context : rootOf(from), one))) {
      const isInto = target.endsWith('/') && !statSync(source).isDirectory();
      const to = join(cwd, target, isInto ? basename(source) : '');
      cpSync(source, to, { recursive: true, verbatimSymlinks: true });
    }
  }
  return cwd;
}

import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Service } from '../processes/service.js';

const example = fileURLToPath(new URL('../../../../examples/patroni-callback.sh', import.meta.url));

/** What a cluster runs as its callback: nothing until it is told whom to tell. */
export interface Callback {
  /** For `ClusterOptions.callback`. */
  readonly file: string;
  /** From now on examples/patroni-callback.sh, at each node with the port of its own service. */
  tells(services: readonly Pick<Service, 'port'>[]): void;
  /** Removes the file. */
  remove(): void;
}

/** In a directory that whoever runs PostgreSQL may read. */
export function createCallback(): Callback {
  const dir = mkdtempSync(join(tmpdir(), 'pglue-callback-'));
  chmodSync(dir, 0o755);
  const file = join(dir, 'callback.sh');
  const write = (text: string): void => {
    writeFileSync(file, text, { mode: 0o755 });
  };
  write('#!/bin/sh\n');
  return {
    file,
    tells(services) {
      const ports = services.map(({ port }, index) => `${index}) port=${port} ;;`).join('\n');
      const text = readFileSync(example, 'utf8').replace(':8009/', ':$port/');
      write(text.replace('\n', `\ncase $1 in\n${ports}\nesac\n`));
    },
    remove() {
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

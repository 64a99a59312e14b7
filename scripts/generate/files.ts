import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { format } from 'prettier';
import { dashboardFile } from './dashboard.js';
import { runbookText } from './runbook.js';
import { exampleFile } from './example.js';
import { withReference } from './reference.js';
import { schemaFile } from './schema.js';
import { templateUnit } from './template-unit.js';

/** Compiled, this file is in build/scripts/generate. */
const root = new URL('../../../', import.meta.url);

/** A file that is generated: from the table of keys, or from a page of the documentation. */
export interface GeneratedFile {
  /** Relative to the top of the repository. */
  readonly name: string;
  readonly path: string;
  /** The generated text. */
  readonly text: string;
}

/** Every file that `npm run generate` writes. */
export async function generatedFiles(): Promise<readonly GeneratedFile[]> {
  const pathOf = (name: string): string => fileURLToPath(new URL(name, root));
  const page = readFileSync(pathOf('docs/configuration.md'), 'utf8');
  const texts = {
    'config.yml.example': exampleFile(),
    'config.schema.json': await format(schemaFile(), { parser: 'json', printWidth: 120 }),
    'docs/configuration.md': withReference(page),
    'examples/patroniglue@.service': templateUnit(readFileSync(pathOf('examples/patroniglue.service'), 'utf8')),
    'examples/grafana-dashboard.json': await format(dashboardFile(), { parser: 'json', printWidth: 120 }),
    'src/status/assets/runbook.txt': runbookText(readFileSync(pathOf('docs/runbook-patroni-frozen.md'), 'utf8')),
  };
  return Object.entries(texts).map(([name, text]) => ({ name, path: pathOf(name), text }));
}

// Writes the files that are generated: from src/config/keys.ts the example, the schema and the list of keys in the docs; from
// docs/runbook-patroni-frozen.md the runbook that patroniglue serves.
import { writeFileSync } from 'node:fs';
import { generatedFiles } from './files.js';

for (const { path, text } of await generatedFiles()) writeFileSync(path, text);

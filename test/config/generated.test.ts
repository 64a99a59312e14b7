import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { generatedFiles } from '../../scripts/generate/files.js';

describe('a file that is generated', async () => {
  for (const { name, path, text } of await generatedFiles()) {
    it(`is current: ${name}`, () => {
      assert.ok(readFileSync(path, 'utf8') === text, `${name} is not current: npm run generate`);
    });
  }
});

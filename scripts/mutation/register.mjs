// `npm run mutation` loads this before the tests: see node-test.mjs.
import { register } from 'node:module';

register('./resolve.mjs', import.meta.url);

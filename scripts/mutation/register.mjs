// Loaded before the tests by `npm run mutation`: see node-test.mjs.
import { register } from 'node:module';

register('./resolve.mjs', import.meta.url);

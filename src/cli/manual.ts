// The build's: prints the manual page, for build/patroniglue.1.
import { manualPage } from './usage.js';
import { version } from '../version.js';

process.stdout.write(manualPage(version));

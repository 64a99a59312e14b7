// Prints the manual page. The build writes it to build/patroniglue.8.
import { manualPage } from './usage.js';
import { version } from '../version.js';

process.stdout.write(manualPage(version));

// The order of the imports counts. When axios is imported, it uses parts of `fetch`, which patroniglue never does, and Node then
// loads undici and its WebAssembly: more than 5 MB that stay. axios does without where it does not find them.
import { showFetch } from './without-fetch.js';
import axios, { AxiosError } from 'axios';

showFetch();

export { axios, AxiosError };

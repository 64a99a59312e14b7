// The order of the imports counts.
import './without-fetch.js';
import axios, { AxiosError } from 'axios';

export { axios, AxiosError };

// The order of the imports counts.
import './without-fetch.js';
import axios, { AxiosError, AxiosHeaders } from 'axios';

export { axios, AxiosError, AxiosHeaders };

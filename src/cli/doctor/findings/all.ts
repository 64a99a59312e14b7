import type { Facts, Finding } from '../types.js';
import { certificateFindings } from './certificates.js';
import { clientFindings } from './clients.js';
import { configurationFindings } from './configuration.js';
import { filesFindings } from './files.js';
import { haproxyFindings } from './haproxy.js';
import { patroniFindings } from './patroni.js';
import { serviceFindings } from './service.js';
import { timingsFindings } from './timings.js';
import { witnessFindings } from './witness.js';

/** What the facts mean, in the order in which an operator looks. */
export function findingsOf(facts: Facts): readonly Finding[] {
  return [
    configurationFindings,
    serviceFindings,
    patroniFindings,
    witnessFindings,
    timingsFindings,
    clientFindings,
    haproxyFindings,
    certificateFindings,
    filesFindings,
  ].flatMap((findingsIn) => findingsIn(facts));
}

import type { Flavour } from './types.js';

/** In one line, as Debian and RPM want it: without an article and without a full stop. */
export const SUMMARY = 'health-check sidecar for PostgreSQL clusters run by Patroni';

/** No address: the project has none. */
export const MAINTAINER = 'The patroniglue authors <patroniglue@localhost>';

/** What the package is for, in lines of at most 75 columns. */
export function description(flavour: Flavour): string {
  const node =
    flavour === 'all'
      ? 'This package runs on the Node.js of the system.'
      : 'This package has Node.js inside, and needs none.';
  return `patroniglue runs on each database node, beside Patroni. It polls Patroni's
REST API and answers the health checks of HAProxy from the latest answers,
at once: a REST API that hangs delays no check.

${node}`;
}

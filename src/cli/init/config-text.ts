import { ASSUMED_TIMINGS } from '../../patroni/timings-in-force.js';
import { boundOf } from './bound.js';
import type { UnitNeeds } from './credentials.js';
import type { HaproxyFile } from '../haproxy/checks.js';
import { agentText, haproxyText, routesText } from './haproxy-text.js';
import type { PatroniSettings } from './patroni-settings.js';
import { backendText, cacheText, frontendText } from './patroni-text.js';
import { dropInText } from './steps.js';
import { witnessText } from './witness-text.js';
import { comment } from './yaml-text.js';

/**
 * A whole config.yml for the node of this Patroni. Comments say where each value comes from.
 *
 * @param file the patroni.yml, as the command line names it
 * @param more the checks of a haproxy.cfg, if there is one, and what the service needs from systemd
 */
export function configText(
  file: string,
  patroni: PatroniSettings,
  { haproxy, needs }: { readonly haproxy?: HaproxyFile | undefined; readonly needs?: UnitNeeds } = {},
): string {
  const bound = boundOf(patroni.timings ?? ASSUMED_TIMINGS);
  const lines = [
    ...comment(
      `patroniglue: configuration of ${patroni.name}, made by patroniglue --init from ${file} (below: patroni.yml).`,
    ),
    '#',
    ...comment('Check it with: patroniglue --config FILE --check --live. config.yml.example explains all keys.'),
    ...(needs === undefined ? [] : dropInText(needs)),
    '',
    ...frontendText(patroni.api),
    '',
    ...backendText(patroni.api),
    ...(haproxy === undefined ? [] : routesText(patroni, haproxy)),
    ...(haproxy === undefined ? [] : agentText(patroni, haproxy)),
    '',
    ...cacheText(patroni, bound),
    '',
    ...witnessText(patroni),
    '',
    ...haproxyText(patroni, bound, haproxy),
  ];
  return `${lines.join('\n')}\n`;
}

import { authority } from '../../network/authority.js';
import { canonicalRoute, leaderRoute } from '../../patroni/routes.js';
import type { Bound } from './bound.js';
import { type HaproxyFile, type ProxyChecks, timeToDownMs } from '../haproxy/checks.js';
import { QUICKER } from '../haproxy/quicker.js';
import { type PatroniSettings, hostFromElsewhere } from './patroni-settings.js';
import { frontendPort } from './patroni-text.js';
import { comment, commented, keyLine, listLines } from './yaml-text.js';

/** What a health check of that file asks of Patroni. */
interface PatroniCheck {
  readonly check: ProxyChecks;
  readonly routes: readonly string[];
  /** The port of the agent checks that send a route. */
  readonly agentPort: number | undefined;
}

/** `backend.routes`: each route that a health check of the file asks for, once. */
export function routesText(patroni: PatroniSettings, { file, checks }: HaproxyFile): readonly string[] {
  const routes = [...new Set(patroniChecks(patroni, checks).flatMap((one) => one.routes))];
  if (routes.length === 0) {
    return comment(
      `${file} has no HTTP check that asks for a route of Patroni: patroniglue polls the default routes.`,
      2,
    );
  }
  return [...comment(`What the health checks in ${file} ask for.`, 2), '  routes:', ...listLines(4, routes)];
}

/** The section `agent`, if an agent check of the file sends a route. */
export function agentText(patroni: PatroniSettings, { file, checks }: HaproxyFile): readonly string[] {
  const ports = patroniChecks(patroni, checks).flatMap(({ agentPort }) => agentPort ?? []);
  const [port] = ports.filter((one) => one !== frontendPort(patroni.api) && one !== patroni.api.listen.port);
  if (port === undefined) return [];
  return ['', ...comment(`Answers to the agent checks in ${file}.`), 'agent:', keyLine(2, 'port', port)];
}

/** The lines for HAProxy, and the time until it acts. All of it is comments. */
export function haproxyText(
  patroni: PatroniSettings,
  bound: Bound,
  haproxy: HaproxyFile | undefined,
): readonly string[] {
  if (haproxy === undefined) return exampleText(patroni, bound);
  if (haproxy.checks.length === 0) return comment(`${haproxy.file} has no health check: is it a haproxy.cfg?`);
  const asked = patroniChecks(patroni, haproxy.checks);
  return [
    ...comment(`The health checks in ${haproxy.file}. ${BOUND_RULE}`),
    ...asked.flatMap((one) => ['#', ...checkText(patroni, bound, one)]),
    ...haproxy.checks
      .filter((check) => !asked.some((one) => one.check === check))
      .flatMap((check) => ['#', ...otherText(check)]),
    ...haproxy.checks.flatMap((check) => unknownTargets(check)),
  ];
}

const BOUND_RULE =
  'When Patroni of a primary freezes, another node may become the primary from the bound on (see cache). By then HAProxy ' +
  'must have marked the old primary DOWN. So cache.ttl and the time that HAProxy takes should together stay within the bound.';

function patroniChecks({ api }: PatroniSettings, checks: readonly ProxyChecks[]): readonly PatroniCheck[] {
  const ports = [api.listen.port, api.connect?.port, frontendPort(api)];
  return checks.flatMap((check) => {
    if (!check.servers.some(({ port }) => port === undefined || ports.includes(port))) return [];
    const agents = check.servers.flatMap(({ agent }) => (agent && isRoute(agent.sends) ? [agent] : []));
    const routes = [...check.targets.filter(isRoute), ...agents.map(({ sends }) => sends)];
    return routes.length === 0 ? [] : [{ check, routes: [...new Set(routes)], agentPort: agents[0]?.port }];
  });
}

function isRoute(target: string | undefined): target is string {
  return target !== undefined && canonicalRoute(target) !== undefined;
}

function checkText(patroni: PatroniSettings, bound: Bound, { check, routes }: PatroniCheck): readonly string[] {
  const { section, line, servers } = check;
  const port = frontendPort(patroni.api);
  const others = [...new Set(servers.map((server) => server.port))].filter((other) => other !== port);
  const isForLeader = routes.some((route) => {
    const canonical = canonicalRoute(route);
    return canonical !== undefined && leaderRoute(canonical) !== undefined;
  });
  return [
    ...comment(`${section} (line ${line}) asks for ${routes.join(', ')}. ${downText(check)}`),
    ...(isForLeader
      ? comment(sumText(bound, timeToDownMs(check) / 1000))
      : comment('This does not depend on the leader key, so the bound does not matter.')),
    ...(others.length === 0
      ? []
      : comment(
          `Write \`check port ${port}\` in each server line: the checks ask port ${others.map((one) => one ?? '(unknown)').join(', ')} now.`,
        )),
  ];
}

/** How long HAProxy takes, as a sum. */
function downText(check: ProxyChecks): string {
  const downMs = timeToDownMs(check);
  const slowest = check.servers.find(({ interMs, fastInterMs, fall }) => interMs + (fall - 1) * fastInterMs === downMs);
  const { interMs = 0, fastInterMs = 0, fall = 1 } = slowest ?? {};
  const sum = fall === 1 ? '' : ` + ${fall - 1} * ${seconds(fastInterMs)} = ${seconds(downMs)}`;
  const silent =
    check.timeoutMs === undefined
      ? ''
      : ` (and timeout check, ${seconds(check.timeoutMs)} s, if nobody answers the last check at all)`;
  return `HAProxy marks a server DOWN after ${fall} failed checks: ${seconds(interMs)}${sum} s${silent}.`;
}

/** `cache.ttl` and HAProxy's time against the bound, and what to do. */
function sumText({ boundS, ttlS }: Bound, downS: number): string {
  const sumS = round(ttlS + downS);
  const sum = `cache.ttl ${ttlS} + ${downS} = ${sumS} s`;
  if (sumS <= boundS) return `${sum}: within the bound of ${boundS} s.`;
  const leftS = boundS - ttlS;
  const quicker = QUICKER.find(({ downS: otherS }) => otherS <= leftS);
  const fix =
    quicker === undefined
      ? "Raise Patroni's ttl, or lower its loop_wait or retry_timeout"
      : `Write \`${quicker.words}\` (${quicker.downS} s)`;
  const over = `${sum}: OVER the bound of ${boundS} s by ${round(sumS - boundS)} s`;
  return downS <= boundS
    ? `${over}. Only the lease guard prevents two primaries then. ${fix}.`
    : `${over}. HAProxy may use the old primary when another node is the primary already. ${fix}.`;
}

/** A check of the file that asks for nothing of Patroni. */
function otherText({ section, line, targets, servers }: ProxyChecks): readonly string[] {
  const ports = [...new Set(servers.map(({ port }) => port))].map((port) => port ?? '(unknown)').join(', ');
  const asks = targets.length === 0 ? 'nothing (it has no rule that sends a request)' : listOf(targets);
  return comment(
    `${section} (line ${line}) asks port ${ports} for ${asks}: this is no route of Patroni, or not at the port of its REST ` +
      'API in patroni.yml. If Patroni answers there all the same, write the route into backend.routes.',
  );
}

/** Targets that are no route, in a check that has others. */
function unknownTargets({ section, line, targets }: ProxyChecks): readonly string[] {
  const unknown = targets.filter((target) => !isRoute(target));
  if (unknown.length === 0 || unknown.length === targets.length) return [];
  return ['#', ...comment(`${section} (line ${line}) also asks for ${listOf(unknown)}: this is no route of Patroni.`)];
}

function listOf(targets: readonly (string | undefined)[]): string {
  return targets.map((target) => target ?? 'a text that depends on variables of HAProxy').join(', ');
}

const EXAMPLE = QUICKER[0];

/** HAProxy's lines for this node, as in examples/haproxy.cfg. */
function exampleText(patroni: PatroniSettings, bound: Bound): readonly string[] {
  const checks = `default-server ${EXAMPLE?.words ?? ''} rise 2 on-marked-down shutdown-sessions`;
  const listener = (name: string, port: number, more: readonly string[]): readonly string[] => [
    `listen ${name}`,
    `    bind :${port}`,
    ...more,
    `    option httpchk GET /${name}`,
    '    http-check expect status 200',
    `    ${checks}`,
    `    ${serverLine(patroni)}`,
  ];
  return [
    ...comment(
      'HAProxy: the lines of examples/haproxy.cfg, with this node. Each other node has a server line of its own.',
    ),
    '#',
    ...commented([...listener('primary', 5000, []), '', ...listener('replica', 5001, ['    balance roundrobin'])]),
    '#',
    ...comment(BOUND_RULE),
    ...comment(
      `HAProxy marks a server DOWN after 3 failed checks: 3 + 2 * 1 = 5 s. ${sumText(bound, EXAMPLE?.downS ?? 0)}`,
    ),
  ];
}

/** `server node1 10.0.0.11:5432 check port 8009` */
function serverLine({ name, api, postgres, postgresForClients }: PatroniSettings): string {
  const checked = hostFromElsewhere(api);
  const address = postgresForClients?.host ?? checked;
  const port = postgresForClients?.port ?? postgres?.port ?? 5432;
  const server = /^[\w.:-]+$/.test(name) ? name : 'node1';
  const where = address === undefined ? `ADDRESS:${port}` : authority(address, port);
  const other = checked !== undefined && checked !== address ? ` addr ${checked}` : '';
  return `server ${server} ${where} check${other} port ${frontendPort(api)}`;
}

const seconds = (ms: number): number => round(ms / 1000);
const round = (value: number): number => Math.round(value * 1000) / 1000;

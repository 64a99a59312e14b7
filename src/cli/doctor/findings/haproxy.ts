import type { Config } from '../../../config/types.js';
import { canonicalRoute } from '../../../patroni/routes.js';
import type { HaproxyFile } from '../../haproxy/checks.js';
import { writtenRoutesOf } from '../../live-check.js';
import { not, ok } from '../finding.js';
import type { Facts, Finding } from '../types.js';
import { AGENT_REMEDY } from './words.js';

/** What a haproxy.cfg makes of this patroniglue: its checks, its agent checks, and whether they can arrive here. */
export function haproxyFindings(facts: Facts): readonly Finding[] {
  const { haproxy } = facts;
  if (haproxy === undefined) return [withoutFile(facts)];
  if ('problem' in haproxy) {
    return [not('UNKNOWN', 'haproxy', haproxy.problem, 'Name a file that this user may read with --haproxy FILE.')];
  }
  return [...checkFindings(facts, haproxy), ...agentFindings(facts, haproxy), ...reachFindings(facts, haproxy)];
}

const NOT_TOLD = 'Whether a firewall stands between HAProxy and this port cannot be told from here';

function withoutFile({ listen }: Facts): Finding {
  const only = listen.filter(({ isLoopback }) => isLoopback).map(({ section, host }) => `${section}.host ${host}`);
  return ok(
    'reach',
    only.length === 0
      ? `${NOT_TOLD}; nor which address it checks: name its file with --haproxy FILE`
      : `only a HAProxy on this host can reach ${only.join(', ')}`,
  );
}

function checkFindings({ config }: Facts, { file, checks }: HaproxyFile): readonly Finding[] {
  const { frontend, backend } = config;
  const ours = checks.filter(({ servers }) => servers.some(({ port }) => port === frontend.port));
  const atPatroni = checks.filter(
    ({ targets, servers }) =>
      backend.port !== frontend.port &&
      servers.some(({ port }) => port === backend.port) &&
      targets.some((target) => target !== undefined && canonicalRoute(target) !== undefined),
  );
  const todo = `Write \`check port ${frontend.port}\` in their server lines, then reload HAProxy.`;
  const past = atPatroni.map(({ section, line }) =>
    not('WARNING', 'haproxy', `${section} (line ${line}) checks Patroni itself, at port ${backend.port}`, todo),
  );
  if (ours.length === 0) {
    return [...past, not('WARNING', 'haproxy', `no HTTP check of ${file} asks port ${frontend.port}`, todo)];
  }
  const told = ours.map(
    ({ section, targets }) => `${section} asks for ${targets.map((one) => one ?? 'a text of variables').join(', ')}`,
  );
  return [ok('haproxy', told.join('; ')), ...past, ...unpolledFindings(config, ours)];
}

/** The routes that a load balancer checks and that are not polled from the start: each is 503 until its first answer. */
function unpolledFindings(config: Config, checks: HaproxyFile['checks']): readonly Finding[] {
  const polled = new Set(writtenRoutesOf(config).map(({ route }) => route));
  const targets = new Set(checks.flatMap((check) => check.targets).filter((target) => target !== undefined));
  const missing = [...targets].filter((target) => {
    const route = canonicalRoute(target);
    return route !== undefined && !polled.has(route);
  });
  if (missing.length === 0) return [];
  const found = `backend.routes lacks ${missing.join(', ')}: the first check of it after a start gets 503`;
  return [not('WARNING', 'haproxy', found, 'Add it to backend.routes, then reload.')];
}

function agentFindings(
  { config: { agent, frontend } }: Facts,
  { checks, agentsAlone }: HaproxyFile,
): readonly Finding[] {
  const alone = agentsAlone.map(({ section, line, servers }) => {
    const found = `${section} (line ${line}): ${servers.join(', ')} with an agent check and no health check: HAProxy ignores an agent that it cannot reach`;
    return not('CRITICAL', 'agents', found, AGENT_REMEDY);
  });
  const unheard = checks.flatMap(({ section, line, servers }) => {
    const ports = servers.flatMap((one) => (one.port === frontend.port && one.agent ? [one.agent.port] : []));
    const [port] = ports.filter((one) => one !== agent.port);
    if (port === undefined) return [];
    const found = `${section} (line ${line}) sends agent checks to port ${port}, where patroniglue does not listen`;
    return [not('WARNING', 'agents', found, `Set agent.port to ${port} in config.yml, then reload.`)];
  });
  const isOk = alone.length + unheard.length === 0 && checks.some(({ servers }) => servers.some((one) => one.agent));
  return [...alone, ...unheard, ...(isOk ? [ok('agents', 'each agent check stands beside an HTTP check')] : [])];
}

function reachFindings({ config, listen, hosts }: Facts, { file }: HaproxyFile): readonly Finding[] {
  const { host, port } = config.frontend;
  if (hosts.length === 0) return [];
  const own = hosts.filter(({ isThisHost }) => isThisHost);
  const isLoopback = listen.some(({ section, isLoopback: only }) => section === 'frontend' && only);
  if (own.length === 0) {
    const named = hosts.map((one) => one.host).join(', ');
    const found = `no server line of ${file} names an address of this host (it names ${named})`;
    return [
      not('WARNING', 'reach', found, 'Add a server line with an address of this host, unless it is a standby site.'),
    ];
  }
  const refused = own.filter(({ accepts }) => accepts === false).map((one) => one.host);
  if (refused.length > 0) {
    const found = `HAProxy checks ${refused.join(', ')} port ${port}, and nothing accepts connections there (frontend.host is ${host})`;
    const todo = isLoopback
      ? `Set frontend.host to ${refused[0] ?? ''}, or to 0.0.0.0 for all addresses, then reload.`
      : `Start patroniglue, or set frontend.host to ${refused[0] ?? ''}, then reload.`;
    return [not('CRITICAL', 'reach', found, todo)];
  }
  return [
    ok(
      'reach',
      `${own.map((one) => one.host).join(', ')} port ${port} accepts connections from this host. ${NOT_TOLD}`,
    ),
  ];
}

import { type Section, valueOf } from './section.js';
import * as check from './checks.js';
import type { AgentConfig } from './types.js';

/** Linux sends again 0.2 s later what was lost; `timeout check` is often 1 s. */
const DEFAULT_WAIT_MS = 500;

/** HAProxy itself gives up after `agent-inter`, 2 s by default. */
const MAX_WAIT_S = 5;

/** The section `agent`. Without a port there is no agent, and what else is there is warned of. */
export function readAgent(section: Section<'agent'>, frontendHost: string): AgentConfig {
  const port = section.read('port', check.wholeNumber(0, 65_535));
  const others = {
    host: section.read('host', check.host),
    route: section.read('route', check.route),
    standby: section.read('standby', check.oneOf('maint', 'drain', 'down')),
    wait: section.read('wait', check.duration(undefined, MAX_WAIT_S)),
  };
  if (port.kind === 'absent') {
    for (const key of ['host', 'route', 'standby', 'wait'] as const) {
      const field = others[key];
      if (field.kind === 'given') section.complain(key, field.at).warning('has no effect without agent.port');
    }
  }
  return {
    host: valueOf(others.host, frontendHost),
    ...(port.kind === 'given' && { port: port.value }),
    route: valueOf(others.route, '/primary'),
    standby: valueOf(others.standby, 'maint' as const),
    waitMs: valueOf(others.wait, DEFAULT_WAIT_MS),
  };
}

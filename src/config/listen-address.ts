import type { Section } from './section.js';
import type { AgentConfig } from './types.js';

/** Patroni is polled elsewhere than at the front end. */
export function mustNotAskItself(
  [section, frontend]: readonly [Section<'frontend'>, { host: string; port: number }],
  [upstream, backend]: readonly [Section<'backend'>, { host: string; port: number }],
): void {
  if (frontend.port !== backend.port || !isSamePlace(frontend.host, backend.host)) return;
  const message = `${frontend.host} port ${frontend.port} is both frontend and backend: patroniglue would ask itself`;
  const at = section.at('port'); // the default ports differ, so one of the two is written
  if (at) section.complain('port', at).problem(message);
  else upstream.complain('port', upstream.at('port') ?? { line: 1, column: 1 }).problem(message);
}

/** Agent checks come neither to the front end nor to Patroni. */
export function mustHaveItsOwnPort(
  section: Section<'agent'>,
  agent: AgentConfig,
  others: Readonly<Record<'frontend' | 'backend', { readonly host: string; readonly port: number }>>,
): void {
  for (const [name, { host, port }] of Object.entries(others)) {
    if (port === 0 || port !== agent.port) continue;
    if (!isSamePlace(agent.host, host) && !(name === 'frontend' && isSamePlace(host, agent.host))) continue;
    const at = section.at('port') ?? { line: 1, column: 1 };
    section.complain('port', at).problem(`${port} is ${name}.port already; agent checks need a port of their own`);
  }
}

/** Whether listening at the one is reached by asking the other, as far as the spelling tells. */
function isSamePlace(listening: string, asked: string): boolean {
  const both = [listening, asked];
  const everywhere = ['0.0.0.0', '::'];
  const loopback = ['localhost', '127.0.0.1', '::1'];
  if (listening === asked) return true;
  if (both.includes('localhost')) return both.every((host) => [...loopback, ...everywhere].includes(host));
  return everywhere.includes(listening) && [...loopback, ...everywhere].includes(asked);
}

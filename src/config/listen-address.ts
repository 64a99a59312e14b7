import { type Fields, warnOfNoEffect } from './section.js';

/** Where Patroni is asked, and where patroniglue listens. */
interface Addresses {
  readonly frontend: { readonly host: string; readonly port: number };
  readonly backend: { readonly host: string; readonly port: number };
  readonly agent: { readonly host: string; readonly port?: number };
}

/** Patroni is polled elsewhere than at the front end. */
export function mustNotAskItself(fields: Fields, { frontend, backend }: Addresses): void {
  if (frontend.port !== backend.port || !isSamePlace(frontend.host, backend.host)) return;
  // The default ports differ, so that one of the two is written
  const port = fields.frontend.port.at === undefined ? fields.backend.port : fields.frontend.port;
  port.problem(`${frontend.host} port ${frontend.port} is both frontend and backend: patroniglue would poll itself`);
}

/** Agent checks come neither to the front end nor to Patroni. */
export function mustHaveItsOwnPort(fields: Fields, { frontend, backend, agent }: Addresses): void {
  for (const [name, { host, port }] of Object.entries({ frontend, backend })) {
    if (port === 0 || port !== agent.port) continue;
    if (!isSamePlace(agent.host, host) && !(name === 'frontend' && isSamePlace(host, agent.host))) continue;
    fields.agent.port.problem(`${port} is ${name}.port already; agent checks need their own port`);
  }
}

/** Without a port there are no agent checks. */
export function warnWithoutAgentPort({ agent: { port, ...others } }: Fields): void {
  if (port.state === 'absent') warnOfNoEffect(Object.values(others), 'without agent.port');
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

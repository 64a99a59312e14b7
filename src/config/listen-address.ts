import { type Fields, warnOfNoEffect } from './section.js';

/** Where patroniglue polls Patroni, and where it listens. */
interface Addresses {
  readonly frontend: { readonly host: string; readonly port: number };
  readonly backend: { readonly host: string; readonly port: number };
  readonly agent: { readonly host: string; readonly port?: number };
}

/** Reports a backend that is the front end itself. */
export function mustNotPollItself(fields: Fields, { frontend, backend }: Addresses): void {
  if (frontend.port !== backend.port || !isSameHost(frontend.host, backend.host)) return;
  // The default ports differ, so the file has at least one of the two ports
  const port = fields.frontend.port.at === undefined ? fields.backend.port : fields.frontend.port;
  port.problem(`${frontend.host} port ${frontend.port} is both frontend and backend: patroniglue would poll itself`);
}

/** Reports an agent port that the front end or Patroni already uses. */
export function mustHaveItsOwnPort(fields: Fields, { frontend, backend, agent }: Addresses): void {
  for (const [name, { host, port }] of Object.entries({ frontend, backend })) {
    if (port === 0 || port !== agent.port) continue;
    if (!isSameHost(agent.host, host) && !(name === 'frontend' && isSameHost(host, agent.host))) continue;
    fields.agent.port.problem(`${port} is ${name}.port already; agent checks need their own port`);
  }
}

/** Warns of the other keys of `agent` if `agent.port` is absent: patroniglue then answers no agent checks. */
export function warnWithoutAgentPort({ agent: { port, ...others } }: Fields): void {
  if (port.state === 'absent') warnOfNoEffect(Object.values(others), 'without agent.port');
}

/** True if a connection to `asked` reaches a listener on `listening`, as far as the spelling shows. */
function isSameHost(listening: string, asked: string): boolean {
  const both = [listening, asked];
  const everywhere = ['0.0.0.0', '::'];
  const loopback = ['localhost', '127.0.0.1', '::1'];
  if (listening === asked) return true;
  if (both.includes('localhost')) return both.every((host) => [...loopback, ...everywhere].includes(host));
  return everywhere.includes(listening) && [...loopback, ...everywhere].includes(asked);
}

import { once } from 'node:events';
import { connect } from 'node:net';
import { install, installPlan, missingPrograms, whyNotInstallable } from '../../test/support/processes/programs.js';
import { eventually } from '../../test/support/time/wait.js';
import { nodeHttp, nodeNet } from './constant.js';
import { haproxyCache } from './haproxy.js';
import { nginx, nginxTwoHops } from './nginx.js';
import { patroniglue } from './patroniglue.js';
import type { Peer, PeerOptions, RunningPeer } from './peer.js';
import { varnish } from './varnish.js';

export { nodeHttp, nodeNet, patroniglue };

const NEEDS: ReadonlyMap<Peer, string> = new Map([
  [nginx, 'nginx'],
  [nginxTwoHops, 'nginx'],
  [varnish, 'varnish'],
  [haproxyCache, 'haproxy'],
]);

/** What the bench takes from Debian: peers, generators, and a real Patroni. */
const PROGRAMS = [...NEEDS.values(), 'wrk', 'h2load'];

/** Installs what is missing, where that can be done; else what needs it is left out, or fails. */
export async function installPeers(): Promise<void> {
  const missing = missingPrograms(PROGRAMS);
  if (missing.length === 0) return;
  process.stderr.write(`${installPlan(missing)}\n`);
  const reason = whyNotInstallable();
  if (reason === undefined) await install(missing);
  else process.stderr.write(`cannot be installed: ${reason}\n`);
}

/** patroniglue, and what a user would pick instead, as far as it is installed here. */
export function cachingPeers(): readonly Peer[] {
  const missing = missingPrograms([...NEEDS.values()]).map(({ name }) => name);
  return [patroniglue, ...[...NEEDS].filter(([, program]) => !missing.includes(program)).map(([peer]) => peer)];
}

/** Starts several, runs `body` with them, and ends them. */
export async function withPeers<T>(
  peers: readonly Peer[],
  options: PeerOptions,
  body: (running: readonly RunningPeer[]) => Promise<T>,
): Promise<T> {
  const running: RunningPeer[] = [];
  try {
    for (const peer of peers) {
      const started = await peer.start(options);
      running.push(started);
      await eventually(`${peer.name} listens`, 20_000, () => isListening(started.port));
    }
    return await body(running);
  } finally {
    await Promise.all(running.map((peer) => peer.close()));
  }
}

async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect'); // or throws
  socket.destroy();
  return true;
}

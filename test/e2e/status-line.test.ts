import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { command, parseStates } from '../support/cluster/haproxy.js';
import { findPrograms, skipReason } from '../support/processes/programs.js';
import { type Service, startService } from '../support/processes/service.js';
import { type Upstream, answering, startUpstream } from '../support/upstreams/upstream.js';
import { eventually } from '../support/time/wait.js';
import { type Workspace, createWorkspace } from '../support/processes/workspace.js';

/** What HAProxy sends first where a check is written by hand. */
const BY_HAND = String.raw`option tcp-check
    tcp-check send GET\ /primary\ HTTP/1.0\r\n\r\n`;

/** The lines of the table in `docs/migration.md`: what breaks, and the two to write instead. */
async function documentedChecks(): Promise<Readonly<Record<'text' | 'pattern' | 'status', string>>> {
  const page = await readFile(new URL('../../../docs/migration.md', import.meta.url), 'utf8');
  const row = /^\| HAProxy: `(.*?)` +\| `(.*?)` or better `(.*?)` with `(.*?)` +\|$/m.exec(page);
  const [, text, pattern, option, expect] = row ?? [];
  assert.ok(text && pattern && option && expect, 'docs/migration.md has the row');
  return {
    text: `${BY_HAND}\n    ${text}`,
    pattern: `${BY_HAND}\n    ${pattern}`,
    status: `${option}\n    ${expect}`,
  };
}

describe("HAProxy's checks of docs/migration.md that read the status line", { skip: await skipReason() }, () => {
  let workspace: Workspace;
  let upstream: Upstream;
  let service: Service;
  let up: () => Promise<string>;
  before(async () => {
    workspace = await createWorkspace();
    upstream = await startUpstream(); // writes HTTP/1.0, as Patroni does
    service = await startService({ config: { backend: { host: '127.0.0.1', port: upstream.port } } });
    await eventually('the service is ready', 5000, async () => (await service.get('/-/ready')).status === 200);
    const socket = workspace.path('stats.sock');
    const backends = Object.entries(await documentedChecks()).map(
      ([name, check]) => `
backend ${name}
    ${check}
    server patroni 127.0.0.1:${upstream.port} check inter 200ms fall 2 rise 1
    server patroniglue 127.0.0.1:${service.port} check inter 200ms fall 2 rise 1
`,
    );
    const file = await workspace.write(
      'haproxy.cfg',
      `global
    stats socket ${socket} level admin
defaults
    mode tcp
    timeout connect 1s
    timeout client 5s
    timeout server 5s
    timeout check 1s
${backends.join('')}`,
    );
    await workspace.start('haproxy', findPrograms().haproxy, ['-db', '-f', file]);
    up = async () => {
      const states = Object.entries(parseStates(await command(socket, 'show stat')));
      return states
        .filter(([, state]) => state.status === 'UP')
        .map(([name]) => name)
        .join(' ');
    };
  });
  after(async () => {
    await workspace.close();
    await service.close();
    await upstream.close();
  });

  const untilUp = async (expected: string): Promise<void> => {
    try {
      await eventually(`up: ${expected}`, 20_000, async () => {
        const seen = await up();
        if (seen !== expected) throw new Error(`up: ${seen}`);
        return true;
      });
    } catch (error) {
      throw new Error(workspace.logs(), { cause: error });
    }
  };

  it('are right for Patroni and for patroniglue, but the one that expects HTTP/1.0 as text', async () => {
    await untilUp('text/patroni pattern/patroni pattern/patroniglue status/patroni status/patroniglue');
    upstream.behave(answering(503));
    await untilUp('');
  });
});

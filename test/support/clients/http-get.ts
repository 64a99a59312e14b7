import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { type Socket, connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { performance } from 'node:perf_hooks';
import { readFileSync } from 'node:fs';

/** What came of a request: a whole response, or the reason why there is none. */
export type Reply =
  | {
      readonly kind: 'reply';
      readonly status: number;
      readonly headers: Record<string, string>;
      readonly body: string;
      readonly tookMs: number;
    }
  | { readonly kind: 'failure'; readonly status: undefined; readonly reason: string; readonly tookMs: number };

/** Certificate files of a client; with `caFile` the request is made by HTTPS. */
export interface ClientTls {
  readonly caFile: string;
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
}

export interface AskOptions {
  readonly method?: string;
  readonly body?: string;
  /** From send to last byte. */
  readonly deadlineMs?: number;
  readonly tls?: ClientTls | undefined;
  /** Sent before all else, a TLS handshake too: `PROXY UNKNOWN\r\n`. */
  readonly prologue?: string | undefined;
}

/** One request to a loopback port on a connection of its own. Never rejects: what failed is in the reply. */
export function ask(port: number, path: string, options: AskOptions = {}): Promise<Reply> {
  const { method = 'GET', body, deadlineMs = 2000, tls, prologue } = options;
  const startedAt = performance.now();
  const since = (): number => Math.round(performance.now() - startedAt);
  return new Promise((resolve) => {
    const fail = (error: Error): void => {
      resolve({ kind: 'failure', status: undefined, reason: error.message, tookMs: since() });
    };
    const request = (tls === undefined ? httpRequest : httpsRequest)({
      host: '127.0.0.1',
      port,
      path,
      method,
      ...(prologue === undefined ? { agent: false } : { createConnection: () => open(port, prologue, tls) }),
      ...(tls && pemsOf(tls)),
      headers:
        body === undefined ? {} : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) },
    });
    const deadline = setTimeout(() => {
      request.destroy(new Error(`no whole response within ${deadlineMs} ms`));
    }, deadlineMs);
    request.once('error', fail);
    request.once('close', () => {
      clearTimeout(deadline);
    });
    request.once('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.once('error', fail);
      response.once('end', () => {
        const headers = Object.fromEntries(
          Object.entries(response.headers).map(([name, value]) => [name, String(value)]),
        );
        resolve({ kind: 'reply', status: response.statusCode ?? 0, headers, body: text, tookMs: since() });
      });
    });
    request.end(body);
  });
}

function open(port: number, prologue: string, tls: ClientTls | undefined): Socket {
  const socket = connect(port, '127.0.0.1');
  socket.write(prologue);
  return tls ? connectTls({ socket, host: '127.0.0.1', ...pemsOf(tls) }) : socket;
}

/** The texts of the files, as Node's TLS takes them. */
function pemsOf({ caFile, certFile, keyFile }: ClientTls): { ca?: Buffer; cert?: Buffer; key?: Buffer } {
  const files = Object.entries({ ca: caFile, cert: certFile, key: keyFile });
  return Object.fromEntries(files.flatMap(([name, file]) => (file === undefined ? [] : [[name, readFileSync(file)]])));
}

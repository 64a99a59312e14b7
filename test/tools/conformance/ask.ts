import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';

/** A server that is asked. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
  /** HTTPS where given: what `tls.connect` needs to know. */
  readonly tls?: ConnectionOptions | undefined;
}

export const METHODS = ['GET', 'HEAD', 'OPTIONS'] as const;
export const VERSIONS = ['1.0', '1.1'] as const;

/** A request by which nothing can be changed. */
export interface Request {
  readonly method: (typeof METHODS)[number];
  /** 1.0 is sent without `Host`, as HAProxy does unless told otherwise. */
  readonly version: (typeof VERSIONS)[number];
  readonly target: string;
}

/** A whole response, or why there is none. */
export type Reply =
  | {
      readonly kind: 'reply';
      readonly status: number;
      readonly contentType: string | undefined;
      /** Byte for byte, without the framing. */
      readonly body: Buffer;
    }
  | { readonly kind: 'failure'; readonly reason: string };

/** More than any answer of Patroni's. */
const MAX_BYTES = 4 * 1024 * 1024;

/**
 * One request on a connection of its own, written to the socket as it stands: `node:http` can send neither HTTP/1.0 nor
 * a target as odd as some of ours. Never rejects.
 */
export function ask(endpoint: Endpoint, request: Request, deadlineMs = 5000): Promise<Reply> {
  const { host, port, tls } = endpoint;
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const end = (reply: Reply): void => {
      clearTimeout(deadline);
      socket.destroy();
      resolve(reply);
    };
    const fail = (reason: string): void => {
      end({ kind: 'failure', reason });
    };
    const deadline = setTimeout(() => {
      fail(`no whole response within ${deadlineMs / 1000} s`);
    }, deadlineMs);
    const onConnect = (): void => {
      socket.write(requestText(endpoint, request), 'latin1');
    };
    const socket: Socket = tls
      ? connectTls({ ...(isIP(host) === 0 && { servername: host }), ...tls, host, port }, onConnect)
      : connectTcp({ host, port }, onConnect);
    socket.once('error', (error: NodeJS.ErrnoException) => {
      fail(error.message || (error.code ?? 'the connection failed')); // refused at all of a name's addresses: no message
    });
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > MAX_BYTES) fail(`more than ${MAX_BYTES} bytes`);
    });
    socket.once('end', () => {
      end(parse(Buffer.concat(chunks), request.method));
    });
  });
}

function requestText({ host, port }: Endpoint, { method, version, target }: Request): string {
  const headers =
    version === '1.0' ? '' : `Host: ${isIP(host) === 6 ? `[${host}]` : host}:${port}\r\nConnection: close\r\n`;
  return `${method} ${target} HTTP/${version}\r\n${headers}\r\n`;
}

/** Of everything that came until the server closed: we ask it to, and Patroni always does. */
function parse(bytes: Buffer, method: string): Reply {
  const headEnd = bytes.indexOf('\r\n\r\n');
  const [statusLine = '', ...lines] = bytes.toString('latin1', 0, Math.max(headEnd, 0)).split('\r\n');
  const status = /^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(statusLine)?.[1];
  if (status === undefined) return { kind: 'failure', reason: bytes.length === 0 ? 'no response' : 'not HTTP' };
  const header = (name: string): string | undefined =>
    lines
      .find((line) => line.toLowerCase().startsWith(`${name}:`))
      ?.slice(name.length + 1)
      .trim();
  const rest = bytes.subarray(headEnd + 4);
  const length = header('content-length');
  if (header('transfer-encoding') !== undefined) return { kind: 'failure', reason: 'a chunked body' };
  if (method === 'GET' && length !== undefined && Number(length) !== rest.length) {
    return { kind: 'failure', reason: `a body of ${rest.length} bytes instead of ${length}` };
  }
  if (method === 'HEAD' && rest.length > 0) return { kind: 'failure', reason: 'a body after HEAD' };
  return { kind: 'reply', status: Number(status), contentType: header('content-type'), body: rest };
}

import { Agent, get as httpGet } from 'node:http';
import { connect } from 'node:net';

/** What came back on a connection until the server ended it. */
export interface RawReply {
  readonly status: number;
  /** The status line and the headers, as they came. */
  readonly head: string;
  readonly body: string;
}

/**
 * Writes these bytes to a loopback port and reads until the server ends the connection: this side never does. Rejects when
 * that does not happen within two seconds.
 */
export function exchange(port: number, bytes: string): Promise<RawReply> {
  return new Promise((resolve, reject) => {
    let received = '';
    // Half open: otherwise Node would end this side by itself, and a server that waits for that would not be noticed.
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }, () => socket.write(bytes));
    const deadline = setTimeout(() => {
      socket.destroy(new Error(`not ended by the server within 2 s; so far it sent ${JSON.stringify(received)}`));
    }, 2000);
    socket.setEncoding('utf8').on('data', (text: string) => {
      received += text;
    });
    socket.once('error', reject);
    socket.once('close', () => {
      clearTimeout(deadline);
    });
    socket.once('end', () => {
      socket.end();
      const [head = '', ...body] = received.split('\r\n\r\n');
      resolve({ status: Number(head.split(' ')[1]), head, body: body.join('\r\n\r\n') });
    });
  });
}

/** A whole GET, with its headers in this order. */
export function getRequest(path: string, headers: Readonly<Record<string, string>>): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`;
}

/** A client that keeps its connection from one request to the next, for as long as the server lets it. */
export interface KeepAliveClient {
  /** The status of a reply whose body has been read. */
  get(path: string): Promise<number>;
  /** How many connections were made so far. */
  readonly connections: number;
  close(): void;
}

/** A client of a loopback port. */
export function keepAliveClient(port: number, headers: Readonly<Record<string, string>>): KeepAliveClient {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const localPorts = new Set<number | undefined>();
  return {
    get: (path) =>
      new Promise((resolve, reject) => {
        const request = httpGet({ host: '127.0.0.1', port, path, headers, agent, timeout: 10_000 }, (response) => {
          localPorts.add(response.socket.localPort);
          response.once('end', () => {
            resolve(response.statusCode ?? 0);
          });
          response.resume();
        });
        request.once('timeout', () => request.destroy(new Error('no reply within 10 s')));
        request.once('error', reject);
      }),
    get connections() {
      return localPorts.size;
    },
    close: () => {
      agent.destroy();
    },
  };
}

import { Agent, createServer, get } from 'node:http';

// The least that does what patroniglue is there for: it asks for three routes once a second, each on a new connection, keeps
// the last answer of each, and answers from memory. No deadline, no time to live, no log.
const [port, upstreamPort] = process.argv.slice(2).map(Number);
const agent = new Agent({ keepAlive: false });
const answers = new Map<string | undefined, { readonly status: number; readonly body: Buffer }>();

function poll(path: string): void {
  get({ host: '127.0.0.1', port: upstreamPort, path, agent }, (response) => {
    const chunks: Buffer[] = [];
    response.on('data', (chunk: Buffer) => chunks.push(chunk));
    response.on('end', () => answers.set(path, { status: response.statusCode ?? 500, body: Buffer.concat(chunks) }));
  }).on('error', () => answers.delete(path));
}

['/primary', '/replica', '/read-only'].forEach((path, at) => {
  poll(path);
  setTimeout(() => setInterval(poll, 1000, path), at * 333);
});

createServer((request, response) => {
  const { status, body } = answers.get(request.url) ?? { status: 503, body: '' };
  response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': body.length }).end(body);
}).listen(port, '127.0.0.1');

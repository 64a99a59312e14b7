import { readFileSync } from 'node:fs';
import { type RequestListener, createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { createServer as createNetServer } from 'node:net';

const [kind, port, cert, key] = process.argv.slice(2);
const body = '{"state": "running", "role": "primary"}';

const answer: RequestListener = (_, response) => {
  response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': body.length }).end(body);
};

function netServer(): ReturnType<typeof createNetServer> {
  const head = `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n`;
  const kept = `HTTP/1.1 200 OK\r\n${head}\r\n${body}`;
  const closed = `HTTP/1.1 200 OK\r\n${head}Connection: close\r\n\r\n${body}`;
  return createNetServer({ noDelay: true }, (socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (request) => {
      if (request.includes('HTTP/1.0') || request.includes('Connection: close')) socket.end(closed);
      else socket.write(kept);
    });
  });
}

const httpServer = (): ReturnType<typeof createServer> =>
  cert === undefined || key === undefined
    ? createServer(answer)
    : createTlsServer({ cert: readFileSync(cert), key: readFileSync(key) }, answer);

(kind === 'net' ? netServer() : httpServer()).listen(Number(port), '127.0.0.1');

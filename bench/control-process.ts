import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { serveOrders } from '../test/support/child.js';

const body = '{"state": "running", "role": "primary"}';
const server = createServer((_, response) => {
  response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': body.length }).end(body);
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');

serveOrders<number>(() => (server.address() as AddressInfo).port);

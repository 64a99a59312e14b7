import { createSocket } from 'node:dgram';
import { once } from 'node:events';

/** What a name server says to whoever asks for whatever name: an IPv4 address, one of the errors of RFC 1035, or nothing. */
export type NameAnswer = 'NXDOMAIN' | 'SERVFAIL' | 'silence' | `${number}.${number}.${number}.${number}`;

/** A name server that knows one answer to all questions. */
export interface NameServer {
  /** From the next question on. */
  say(answer: NameAnswer): void;
  /** Resolves with the next question. */
  asked(): Promise<unknown>;
  close(): Promise<void>;
}

/** RFC 1035, section 4.1.1: a response, to a query that desired recursion, from a server that offers it. */
const RESPONSE_FLAGS = 0x8180;
const RESPONSE_CODES = { NOERROR: 0, SERVFAIL: 2, NXDOMAIN: 3 } as const;
const HEADER_BYTES = 12;
const TYPE_A = 1;

/** Starts a name server at port 53 of a loopback address, which takes root. */
export async function startNameServer(address: string, first: NameAnswer): Promise<NameServer> {
  let answer = first;
  const socket = createSocket('udp4', (query, client) => {
    if (answer !== 'silence') socket.send(respond(query, answer), client.port, client.address);
  });
  socket.bind(53, address);
  await once(socket, 'listening');
  return {
    say(next) {
      answer = next;
    },
    asked: () => once(socket, 'message'),
    async close() {
      const closed = once(socket, 'close');
      socket.close();
      await closed;
    },
  };
}

/** The query's header and question again, with the answer behind them; to questions for anything but A there is none. */
function respond(query: Buffer, answer: Exclude<NameAnswer, 'silence'>): Buffer {
  const nameEnd = query.indexOf(0, HEADER_BYTES) + 1;
  const question = query.subarray(HEADER_BYTES, nameEnd + 4);
  const failed = answer === 'NXDOMAIN' || answer === 'SERVFAIL';
  const records = failed || query.readUInt16BE(nameEnd) !== TYPE_A ? [] : [addressRecord(answer)];
  const header = Buffer.alloc(HEADER_BYTES);
  query.copy(header, 0, 0, 2);
  header.writeUInt16BE(RESPONSE_FLAGS | RESPONSE_CODES[failed ? answer : 'NOERROR'], 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(records.length, 6);
  return Buffer.concat([header, question, ...records]);
}

/** RFC 1035, section 4.1.3: the name of the question (a pointer to it), type A, class IN, no time to live, 4 bytes. */
function addressRecord(address: string): Buffer {
  return Buffer.from([0xc0, HEADER_BYTES, 0, TYPE_A, 0, 1, 0, 0, 0, 0, 0, 4, ...address.split('.').map(Number)]);
}

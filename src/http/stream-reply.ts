import type { ServerResponse } from 'node:http';
import type { StreamReply } from './types.js';

/** A client that reads nothing for so long is disconnected. */
const UNREAD_FOR_MS = 30_000;

/** Sends a stream as a reply. */
export type SendStream = (res: ServerResponse, reply: StreamReply) => void;

/**
 * At most `max` streams at a time: one more ends the oldest. A client that reads slowly costs the memory of one text: while
 * this text waits, newer texts are dropped.
 */
export function createStreams(max: number): SendStream {
  const open = new Set<ServerResponse>(); // oldest first
  return (res, { status, headers, body$ }) => {
    const [oldest] = open;
    if (open.size >= max) oldest?.destroy();
    open.add(res);
    res.writeHead(status, headers);
    res.flushHeaders();
    const { socket } = res;
    socket?.setTimeout(UNREAD_FOR_MS, () => res.destroy());
    const subscription = body$.subscribe({
      next: (text) => {
        if (!res.writableNeedDrain) res.write(text);
      },
      error: () => res.destroy(),
      complete: () => res.end(),
    });
    res.once('close', () => {
      open.delete(res);
      subscription.unsubscribe();
    });
  };
}

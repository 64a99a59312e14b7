import type { ServerResponse } from 'node:http';
import type { StreamReply } from './types.js';

/** A client that has read nothing for so long is gone. */
const UNREAD_FOR_MS = 30_000;

/** Sends replies that go on. */
export type SendStream = (res: ServerResponse, reply: StreamReply) => void;

/**
 * At most `max` at a time: one too many ends the oldest. A client that reads slowly costs the memory of one text: what
 * comes while that waits is not kept.
 */
export function createStreams(max: number): SendStream {
  const open = new Set<ServerResponse>(); // in the order of their arrival
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

import { bodyOf } from './reply.js';
import type { Reply } from './types.js';
import type { Snapshot } from '../patroni/types.js';

type FreshSnapshot = Extract<Snapshot, { kind: 'fresh' }>;

interface Rendered {
  /** The age of the answer and the rest of its time to live, as in the headers, in whole seconds. */
  readonly ageS: number;
  readonly leftS: number;
  readonly reply: Reply;
}

/**
 * Makes the reply from a fresh answer: status, content type and body are Patroni's own, or those of the witness. A new reply
 * is made for each snapshot and for each second of its age, not for each request.
 */
export function createFreshReply(): (snapshot: FreshSnapshot, nowMs: number) => Reply {
  const rendered = new WeakMap<FreshSnapshot, Rendered>();
  return (snapshot, nowMs) => {
    const ageS = Math.floor((nowMs - snapshot.sentAtMs) / 1000);
    const leftS = Math.floor((snapshot.freshUntilMs - nowMs) / 1000);
    const last = rendered.get(snapshot);
    if (last?.ageS === ageS && last.leftS === leftS) return last.reply;
    const reply = render(snapshot, ageS, leftS);
    rendered.set(snapshot, { ageS, leftS, reply });
    return reply;
  };
}

function render({ answer, witness }: FreshSnapshot, ageS: number, leftS: number): Reply {
  const { status, contentType, body } = answer;
  const headers = {
    ...(contentType !== undefined && { 'Content-Type': contentType }),
    'Content-Length': body.length,
    'Cache-Control': 'no-store', // a cache would serve this reply after its time to live
    Age: ageS, // RFC 9111, section 5.1
    'Cache-Status': `patroniglue; hit; ttl=${leftS}${witness ? `; detail=witness-${witness.source}` : ''}`, // RFC 9211
  };
  return { status, headers, body: bodyOf(body) };
}

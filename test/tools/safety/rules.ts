import type { Findings, Recording } from './analysis.js';

/** What may be found at most, in milliseconds. */
export interface Limits {
  /** From Patroni's change to patroniglue's. */
  readonly changeMs: number;
  /** Two 200s of patroniglues, over those of Patroni itself in the same event. */
  readonly twoMoreMs: number;
  /** From the beginning of a silence to the 503. */
  readonly until503Ms: number;
  /** From that 503 to the first 200 of the next primary, at least. */
  readonly marginMs: number;
  /** A 200 for longer than the time to live after Patroni's last one. */
  readonly unfoundedMs: number;
}

/** So much of the margin that a witness promises may be lost: by the start of Patroni's clock and ours, and by the sampling. */
const MARGIN_SLACK_MS = 1000;

/**
 * The limits of the design. `slackMs` is for the way of a poll, and for what the machine does beside.
 *
 * With a witness, a 200 may last until `loop_wait + retry_timeout` after the last renewal of the leader key, and the next
 * primary comes no earlier than `ttl` after it.
 */
export function limitsOf({ ttlMs, intervalMs, witnessed }: Recording, slackMs: number): Limits {
  const longestMs = witnessed ? Math.max(ttlMs, witnessed.loopWaitMs + witnessed.retryTimeoutMs) : ttlMs;
  return {
    ...{ changeMs: intervalMs + slackMs, twoMoreMs: ttlMs, until503Ms: longestMs + slackMs },
    marginMs: witnessed ? witnessed.ttlMs - witnessed.loopWaitMs - witnessed.retryTimeoutMs - MARGIN_SLACK_MS : 0,
    unfoundedMs: longestMs - ttlMs,
  };
}

/** A sentence for each rule that is broken, and each event that breaks it. */
export function brokenRules(findings: Findings, limits: Limits): readonly string[] {
  const { events, changes, unfoundedMs, unanswered } = findings;
  const ms = (value: number): string => `${Math.round(value)} ms`;
  const ofEvents = events.flatMap(({ event, two, silence }, index) => {
    const name = `event ${index + 1} (${event.kind}, ${event.node})`;
    const more = two.patroniglue - two.patroni;
    return [
      more > limits.twoMoreMs && `${name}: two patroniglues said 200 for ${ms(more)} longer than two Patronis`,
      silence && silence.twoMs > 0 && `${name}: two patroniglues said 200 for ${ms(silence.twoMs)} in the silence`,
      silence && silence.marginMs <= 0 && `${name}: another node was primary ${ms(-silence.marginMs)} before the 503`,
      silence &&
        silence.marginMs > 0 &&
        silence.marginMs < limits.marginMs &&
        `${name}: the 503 came only ${ms(silence.marginMs)} before another node was primary`,
      silence && silence.until503Ms > limits.until503Ms && `${name}: 200 for ${ms(silence.until503Ms)} of the silence`,
    ];
  });
  const ofChanges = changes.map(
    ({ node, to, surelyMs }) =>
      surelyMs > limits.changeMs && `${node}: Patroni's change to '${to}' was seen after ${ms(surelyMs)}`,
  );
  return [
    ...ofEvents,
    ...ofChanges,
    unfoundedMs > limits.unfoundedMs &&
      `a patroniglue said 200 for ${ms(unfoundedMs)} longer than the time to live allows`,
    unanswered > 0 && `${unanswered} questions to patroniglue were not answered`,
  ].filter((sentence) => typeof sentence === 'string');
}

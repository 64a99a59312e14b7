/** What a client has said in the time that it had. */
export type Question =
  | { readonly kind: 'nothing' }
  /** Without its end. */
  | { readonly kind: 'line'; readonly text: string }
  | { readonly kind: 'line-without-end' }
  | { readonly kind: 'line-too-long' };

/** What a reply makes of the server: `unchanged` where it only says what is wrong. */
export type AgentState = 'up' | 'standby' | 'down' | 'unchanged';

/** A reply to an agent check. */
export interface AgentReply {
  /** A canonical route, or `other`. */
  readonly route: string;
  readonly state: AgentState;
  /** Without its end. */
  readonly line: string;
}

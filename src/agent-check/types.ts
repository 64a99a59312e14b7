/** What a client of agent checks has sent within `agent.wait`. */
export type Question =
  | { readonly kind: 'nothing' }
  /** `text` has no line end. */
  | { readonly kind: 'line'; readonly text: string }
  | { readonly kind: 'line-without-end' }
  | { readonly kind: 'line-too-long' };

/** The state into which a reply puts HAProxy's server. `unchanged`: the reply only says what is wrong. */
export type AgentState = 'up' | 'standby' | 'down' | 'unchanged';

/** A reply to an agent check. */
export interface AgentReply {
  /** A canonical route, or `other`. */
  readonly route: string;
  readonly state: AgentState;
  /** The reply, without its line end. */
  readonly line: string;
}

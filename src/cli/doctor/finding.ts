import { type Finding, STATES, type State } from './types.js';

/** All is well. */
export function ok(check: string, found: string): Finding {
  return { check, state: 'OK', found };
}

/** Something is to be done. */
export function not(state: Exclude<State, 'OK'>, check: string, found: string, todo: string): Finding {
  return { check, state, found, todo };
}

/** The worst state of these; OK if there are none. */
export function worstOf(states: readonly State[]): State {
  return STATES[Math.max(0, ...states.map((state) => STATES.indexOf(state)))] ?? 'OK';
}

/** `1.5 s`, `12 s`. */
export function secondsText(ms: number): string {
  return `${Math.round(ms) / 1000} s`;
}

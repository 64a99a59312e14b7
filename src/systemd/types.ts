/** What systemd is told at once. A later message replaces the same fields of an earlier one that is not sent yet. */
export interface Message {
  /** The state of the service; `reloadingSinceUs` is a time of CLOCK_MONOTONIC, in microseconds. */
  readonly state?: 'ready' | 'stopping' | { readonly reloadingSinceUs: number };
  /** One line for `systemctl status`. */
  readonly status?: string;
  /** A sign of life. */
  readonly watchdog?: true;
}

/** What systemd asks of a service that it has started, by the variables of sd_notify(3) and sd_watchdog_enabled(3). */
export interface SystemdWish {
  /** Where it wants to be told. */
  readonly socket: string;
  /** It restarts the service after this time without a sign of life, in milliseconds; absent: it does not watch. */
  readonly watchdogMs?: number;
}

/** Reads the wish from the environment; `undefined` if it was not systemd that started the process, or `Type=` is not `notify`. */
export function systemdWish(env: Readonly<Record<string, string | undefined>>, pid: number): SystemdWish | undefined {
  const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: micros, WATCHDOG_PID: watched } = env;
  if (socket === undefined || socket === '') return undefined;
  const watchdogMs = Number(micros) / 1000;
  const isForUs = watched === undefined || Number(watched) === pid;
  return { socket, ...(watchdogMs > 0 && isForUs && { watchdogMs }) };
}

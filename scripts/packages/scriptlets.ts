/** A command of sh: the instances of patroniglue@ that run. */
export const ACTIVE_INSTANCES =
  "systemctl list-units --plain --no-legend --state=active 'patroniglue@*.service' | cut -d ' ' -f 1";

/** What sh tells of the unit `$1`, between double quotes. */
export const RUNS_ON =
  'patroniglue: $1 runs on as the former version, because it cannot be reloaded: see journalctl --unit=$1';

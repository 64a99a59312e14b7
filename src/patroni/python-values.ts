/** The result of Python's `int()` for a JSON value; `undefined` if `int()` raises. */
export function pythonInt(value: unknown): number | undefined {
  if (typeof value === 'boolean') return Number(value);
  if (typeof value === 'number') return Number.isFinite(value) ? Math.trunc(value) : undefined;
  if (typeof value !== 'string' || !/^\s*[+-]?\d+(_\d+)*\s*$/.test(value)) return undefined;
  return Number(value.replaceAll('_', ''));
}

/** True for the values that `parse_bool` in `patroni/utils.py` reads as true. */
export function isOn(value: unknown): boolean {
  return ['boolean', 'number', 'string'].includes(typeof value) && /^(on|true|yes|1)$/i.test(String(value));
}

/** True if Python treats this JSON value as true. */
export function isTruthy(value: unknown): boolean {
  return typeof value === 'object' && value !== null ? Object.keys(value).length > 0 : Boolean(value);
}

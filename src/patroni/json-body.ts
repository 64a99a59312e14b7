/** The largest body of Patroni that is parsed, in bytes. Its health answers have a few kilobytes. */
export const MAX_PARSED_BYTES = 65_536;

/** A JSON object. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** The JSON object in a body or a text; `undefined` if there is none. */
export function jsonObject(body: Buffer | string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(body.toString());
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** True for a JSON object, which is neither a list nor `null`. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `value` if it is an object, otherwise an empty object. */
export function objectIn(value: unknown): JsonObject {
  return isObject(value) ? value : {};
}

/** `value` if it is a text, and not an empty one. */
export function textIn(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** `value` if it is a finite number. */
export function numberIn(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

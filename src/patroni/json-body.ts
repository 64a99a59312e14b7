/** A JSON object. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** The object that a body holds as JSON; `undefined` where it holds none. */
export function jsonObject(body: Buffer): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(body.toString());
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** True for a JSON object: no list, and not `null`. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The same object, or an empty one where `value` is something else. */
export function objectIn(value: unknown): JsonObject {
  return isObject(value) ? value : {};
}

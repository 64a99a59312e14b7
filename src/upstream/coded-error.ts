/** An error with a code in Node's manner, by which `classifyFailure` knows it. */
export function withCode(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

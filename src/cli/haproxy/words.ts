const ESCAPED: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };

/**
 * The words of a line of haproxy.cfg: HAProxy's manual, "2.2. Quoting and escaping". A backslash takes the next character as
 * it is, `\n`, `\r`, `\t` and `\x41` stand for one character, `"` and `'` keep spaces, and `#` begins a comment. Variables of
 * the environment (`"${NAME}"`) stay as they are.
 */
export function wordsOf(line: string): readonly string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote: string | undefined;
  for (let at = 0; at < line.length; at += 1) {
    const character = line.charAt(at);
    if (quote === "'" ? character === "'" : quote !== undefined && character === quote) {
      quote = undefined;
    } else if (quote === "'") {
      word = (word ?? '') + character;
    } else if (character === '\\' && at + 1 < line.length) {
      const [written, meaning] = escapeAt(line, at + 1);
      word = (word ?? '') + meaning;
      at += written;
    } else if (quote === undefined && (character === '"' || character === "'")) {
      quote = character;
      word ??= '';
    } else if (quote === undefined && character === '#') {
      break;
    } else if (quote === undefined && /\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else {
      word = (word ?? '') + character;
    }
  }
  if (word !== undefined) words.push(word);
  return words;
}

/** The length and the meaning of what follows a backslash. */
function escapeAt(line: string, at: number): readonly [written: number, meaning: string] {
  const [, hex] = /^x([\da-f]{2})/i.exec(line.slice(at, at + 3)) ?? [];
  if (hex !== undefined) return [3, String.fromCharCode(parseInt(hex, 16))];
  const character = line.charAt(at);
  return [1, ESCAPED[character] ?? character];
}

/** How the screen can show things: colours do nothing where there are none. */
export interface Style {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly good: (text: string) => string;
  readonly warning: (text: string) => string;
  readonly bad: (text: string) => string;
  readonly cold: (text: string) => string;
  readonly glyphs: Readonly<Record<Glyph, string>>;
  readonly tick: string;
  readonly cross: string;
}

/** What one column of a timeline can say. */
export type Glyph = 'ok' | 'unavailable' | 'nothing' | 'frozen' | 'api-frozen';

/** Blocks where the locale is UTF-8, letters elsewhere. */
export function createStyle(colours: boolean, utf8: boolean): Style {
  const sgr =
    (code: number) =>
    (text: string): string =>
      colours ? `\u001b[${code}m${text}\u001b[0m` : text;
  return {
    bold: sgr(1),
    dim: sgr(2),
    good: sgr(32),
    warning: sgr(33),
    bad: sgr(31),
    cold: sgr(36),
    glyphs: utf8
      ? { ok: '█', unavailable: '▒', nothing: '×', frozen: '*', 'api-frozen': 'a' }
      : { ok: '=', unavailable: '5', nothing: 'x', frozen: '*', 'api-frozen': 'a' },
    tick: utf8 ? '✓' : 'ok',
    cross: utf8 ? '✗' : 'NOT SO',
  };
}

/** Whether the locale is one of UTF-8, by the precedence that POSIX gives its variables. */
export function isUtf8(env: Readonly<Record<string, string | undefined>>): boolean {
  const locale = [env['LC_ALL'], env['LC_CTYPE'], env['LANG']].find((value) => value) ?? '';
  return /utf-?8/i.test(locale);
}

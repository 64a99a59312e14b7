/** Longer than any useful request to Patroni. patroniglue polls a learned route again and again, so it must be short. */
const MAX_LENGTH = 1024;

/** The characters of path and query in RFC 3986, except `;`: Python up to 3.9 read it as a separator of keys, too. */
const ORIGIN_FORM = /^\/(?:[\w.~!$&'()*+,=:@/?-]|%[0-9A-Fa-f]{2})*$/;

/**
 * What is wrong with a request target, in a sentence; `undefined` if it is well-formed: origin form (RFC 9112, section
 * 3.2.1), percent-encoded as UTF-8. Patroni accepts more, but reads some targets differently from how they look: it cuts the
 * query at a `#`, and reads bytes beyond ASCII as Latin-1.
 */
export function malformation(target: string): string | undefined {
  if (target.length > MAX_LENGTH)
    return `a request target may have at most ${MAX_LENGTH} characters, not ${target.length}`;
  if (ORIGIN_FORM.test(target) && isEncodedUtf8(target)) return undefined;
  if (!target.startsWith('/')) return 'a request target must begin with a slash';
  const [raw] = /[^\w.~!$&'()*+,=:@/?%-]/u.exec(target) ?? [];
  return raw === undefined
    ? 'a % must begin a percent-encoded character of UTF-8 (a % itself is %25)'
    : `the character ${codePointOf(raw)} must be percent-encoded`;
}

/** Scheme and authority of an absolute URI with a path. */
const ABSOLUTE = /^https?:\/\/(?:[\w.~!$&'()*+,=:%-]*@)?(?:[\w.~%-]+|\[[\w:.%]+\])(?::\d*)?(?=\/)/i;

/**
 * A request target as Patroni's server reads it, in origin form. Several slashes at the beginning become one (`parse_request`
 * in Python's `http/server.py`, since 3.7.14, 3.8.14, 3.9.14, 3.10.6 and 3.11). An absolute form is reduced to its path and
 * query (`urlparse` in `patroni/api.py`; RFC 9112, section 3.2.2, requires servers to accept it). Any other target is
 * returned unchanged.
 */
export function originForm(target: string): string {
  if (target.startsWith('//')) return target.replace(/^\/+/, '/');
  return target.startsWith('/') ? target : target.replace(ABSOLUTE, '');
}

function isEncodedUtf8(target: string): boolean {
  if (!target.includes('%')) return true;
  try {
    decodeURIComponent(target);
    return true;
  } catch {
    return false;
  }
}

function codePointOf(character: string): string {
  return `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
}

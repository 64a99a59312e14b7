/** Longer than any question to Patroni; what is learned and polled again and again must stay small. */
const MAX_LENGTH = 1024;

/** What RFC 3986 has for path and query, but for `;`: it separated keys, too, in Python until 3.9. */
const ORIGIN_FORM = /^\/(?:[\w.~!$&'()*+,=:@/?-]|%[0-9A-Fa-f]{2})*$/;

/**
 * What is wrong with a request target, in a sentence; `undefined` where it is well-formed: origin form (RFC 9112, section
 * 3.2.1), percent-encoded as UTF-8. Patroni is laxer, but reads some of these otherwise than they look: what follows a `#`
 * is no part of the query to it, and bytes beyond ASCII are Latin-1.
 */
export function malformation(target: string): string | undefined {
  if (target.length > MAX_LENGTH) return `a request target may have ${MAX_LENGTH} characters, not ${target.length}`;
  if (ORIGIN_FORM.test(target) && isEncodedUtf8(target)) return undefined;
  if (!target.startsWith('/')) return 'a request target must begin with a slash';
  const [raw] = /[^\w.~!$&'()*+,=:@/?%-]/u.exec(target) ?? [];
  return raw === undefined
    ? 'a % must begin a percent-encoded character of UTF-8 (a % itself is %25)'
    : `the character ${codePointOf(raw)} must be percent-encoded`;
}

/** Scheme and authority of an absolute URI that has a path. */
const ABSOLUTE = /^https?:\/\/(?:[\w.~!$&'()*+,=:%-]*@)?(?:[\w.~%-]+|\[[\w:.%]+\])(?::\d*)?(?=\/)/i;

/**
 * A request target as Patroni's server reads it, in origin form: slashes at its beginning are one (`parse_request` in Python's
 * `http/server.py`, since 3.7.14, 3.8.14, 3.9.14, 3.10.6 and 3.11), and of an absolute form the path and query count (`urlparse` in
 * `patroni/api.py`; RFC 9112, section 3.2.2, wants it accepted). Anything else is returned as it is.
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

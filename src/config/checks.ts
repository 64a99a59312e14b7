import { isIP } from 'node:net';
import { escapeInvisible } from './hints.js';
import { nearest } from './nearest-word.js';
import { authority, parseEndpoint } from '../network/authority.js';
import { canonicalRoute, knownPaths, whatIsWrong } from '../patroni/routes.js';
import { minVersions, parseCipher, parseCipherString, parseMinVersion } from './tls-names.js';
import type { Kind } from './keys.js';
import type { Endpoint, Network, TlsVersion, ValueOfKind } from './types.js';
import type { Position, YamlValue } from './yaml.js';

/** Takes the findings of a check. They are at the value's own position, unless the check names another. */
export interface Complain {
  readonly problem: (message: string, at?: Position) => void;
  readonly warning: (message: string, at?: Position) => void;
}

/** Returns the value as the configuration has it, or `undefined` after it has reported a problem. */
export type Check<T> = (value: YamlValue, complain: Complain) => T | undefined;

type KindOf<Name> = Extract<Kind, { readonly kind: Name }>;

/** How each kind of value is read. */
const checks: { readonly [Name in Kind['kind']]: (kind: KindOf<Name>) => Check<ValueOfKind[Name]> } = {
  host,
  endpoints,
  'endpoint or none': endpointOrNone,
  'whole number': wholeNumber,
  seconds,
  boolean: () => boolean,
  word: ({ words }) => oneOf(words),
  file: () => filePath,
  'password file': () => filePath,
  text: () => text,
  'key prefix': () => keyPrefix,
  'log line': () => logFormat,
  'TLS version': () => minVersion,
  ciphers: () => ciphers,
  route: () => route,
  routes: () => routes,
  networks,
};

/** The check for a kind of value. It returns the type that {@link ValueOfKind} names. */
export function checkOf(kind: Kind): Check<unknown> {
  return (checks[kind.kind] as (kind: Kind) => Check<unknown>)(kind);
}

/** Seconds, with fractions. Returns whole milliseconds. */
function seconds({ min, max, zero }: KindOf<'seconds'>): Check<number> {
  return (value, complain) => {
    const time = value.kind === 'scalar' ? value.value : undefined;
    if (typeof time !== 'number') {
      complain.problem(`must be a number of seconds, such as 4 or 0.25, not ${show(value)}`);
    } else if (time === 0 && zero !== undefined) {
      complain.problem(zero);
    } else if (!(time >= min && time <= max)) {
      complain.problem(`must be from ${min} to ${max} seconds, not ${time}`); // also for NaN
    } else {
      return Math.round(time * 1000);
    }
    return undefined;
  };
}

/** A whole number within bounds, both included. */
function wholeNumber({ min, max }: KindOf<'whole number'>): Check<number> {
  return (value, complain) => {
    const number = value.kind === 'scalar' ? value.value : undefined;
    if (typeof number === 'number' && Number.isInteger(number) && number >= min && number <= max) return number;
    const isQuotedNumber = typeof number === 'string' && /^\d+$/.test(number);
    complain.problem(
      `must be a whole number from ${min} to ${max}, not ${show(value)}${isQuotedNumber ? '; remove the quotes' : ''}`,
    );
    return undefined;
  };
}

/** `true` and `false`, and the other words that are booleans in YAML 1.1, and so in the Go program. */
const boolean: Check<boolean> = (value, complain) => {
  if (value.kind === 'scalar') {
    if (typeof value.value === 'boolean') return value.value;
    if (!value.quoted && typeof value.value === 'string') {
      if (/^(?:y|yes|on)$/i.test(value.value)) return true;
      if (/^(?:n|no|off)$/i.test(value.value)) return false;
    }
  }
  complain.problem(`must be true or false, not ${show(value)}`);
  return undefined;
};

/** One of a few words, in any case. */
function oneOf(words: readonly string[]): Check<string> {
  return (value, complain) => {
    const given = value.kind === 'scalar' && typeof value.value === 'string' ? value.value.toLowerCase() : undefined;
    const word = words.find((candidate) => candidate === given);
    if (word === undefined) complain.problem(`must be ${words.join(' or ')}, not ${show(value)}`);
    return word;
  };
}

/** A name or an address, without a port. Returns an IPv6 address without its brackets. */
function host({ empty }: KindOf<'host'>): Check<string> {
  return (value, complain) => {
    const text = asText(value);
    const bare = text === undefined ? '' : (/^\[(.*)\]$/.exec(text)?.[1] ?? text);
    if (isIP(bare) !== 0) return bare;
    const fault = text === '' && empty !== undefined ? empty : hostFault(value, text);
    if (fault === undefined) return text;
    complain.problem(fault);
    return undefined;
  };
}

function hostFault(value: YamlValue, text: string | undefined): string | undefined {
  const [mustBe, mustBeOnly] = ['must be a name or an address', 'must be only a name or an address'];
  const quoted = shown(value);
  if (value.kind === 'list') return `${mustBe}, not a list; write an IPv6 address without []`;
  if (text === undefined) return `${mustBe}, not ${quoted}`;
  if (text.includes('@')) return `${mustBeOnly}: remove user and password`; // the value is not shown: it holds a password
  if (text.includes('://')) return `${mustBeOnly}, not ${quoted}: remove the scheme`;
  if (/:\d*$/.test(text)) return `${mustBeOnly}, not ${quoted}: the port has its own key`;
  if (text === '*') return `${mustBe}; write 0.0.0.0 or "::" for all addresses`;
  return nameFault(text);
}

/** What is wrong with a name or an IPv4 address that has neither scheme nor port. */
function nameFault(text: string): string | undefined {
  if (!/^[\p{L}\p{N}._-]{1,253}$/u.test(text)) return `must be a name or an address, not ${quote(text)}`;
  if (/(?:^|\.)\d+\.?$/.test(text) && isIP(text) === 0) return `${quote(text)} is not an IPv4 address`; // no domain ends in a number
  return undefined;
}

/** Most hosts in a list. */
export const MAX_ENDPOINTS = 16;

/** A list of hosts with their ports. None is in it twice. */
function endpoints({ port }: KindOf<'endpoints'>): Check<readonly Endpoint[]> {
  return (value, complain) => {
    if (value.kind !== 'list') {
      complain.problem(`must be a list of hosts, such as [10.0.0.11:${port}, 10.0.0.12:${port}]${notUrl(value)}`);
      return undefined;
    }
    if (value.items.length === 0) complain.problem('the list is empty: name a host');
    if (value.items.length > MAX_ENDPOINTS) {
      complain.problem(`must have at most ${MAX_ENDPOINTS} hosts, not ${value.items.length}`);
    }
    const seen = new Set<string>();
    return value.items.flatMap((item) => {
      const endpoint = endpointIn(item, port, `10.0.0.11:${port}`);
      if (typeof endpoint === 'string') {
        complain.problem(endpoint, item.at);
        return [];
      }
      const name = authority(endpoint.host.toLowerCase(), endpoint.port);
      if (seen.has(name)) complain.problem(`${name} is in the list twice: remove one`, item.at);
      seen.add(name);
      return [endpoint];
    });
  };
}

/** A host with its port, or `none`. */
function endpointOrNone({ port }: KindOf<'endpoint or none'>): Check<Endpoint | 'none'> {
  return (value, complain) => {
    if (asText(value)?.toLowerCase() === 'none') return 'none';
    const endpoint = endpointIn(value, port, `localhost:${port}, or none`);
    if (typeof endpoint !== 'string') return endpoint;
    complain.problem(endpoint);
    return undefined;
  };
}

/** Host and port of a value, or what is wrong with it. */
function endpointIn(value: YamlValue, defaultPort: number, example: string): Endpoint | string {
  const text = asText(value);
  const mustBe = `must be a host and its port, such as ${example}`;
  if (text === undefined || text === '' || text.includes('@') || text.includes('://')) return mustBe + notUrl(value);
  const endpoint = parseEndpoint(text, defaultPort);
  if (endpoint === undefined) return `${mustBe}, not ${quote(text)}`;
  if (endpoint === 'no brackets') return `an IPv6 address needs brackets, as in "${authority('fd00::1', defaultPort)}"`;
  const fault = isIP(endpoint.host) === 0 ? nameFault(endpoint.host) : undefined;
  if (fault !== undefined) return fault;
  if (endpoint.port < 1 || endpoint.port > 65_535) return `the port must be from 1 to 65535, not ${quote(text)}`;
  return endpoint;
}

/** The end of a message: the value that is not right, and what to remove. A user and a password are not shown. */
function notUrl(value: YamlValue): string {
  const text = asText(value) ?? '';
  if (text.includes('@')) return ': remove user and password';
  return `, not ${show(value)}${text.includes('://') ? ': remove the scheme' : ''}`;
}

/** Most characters of a path. */
export const MAX_PATH = 1024;

/**
 * The path of a file. A relative path starts from the working directory, as in the Go program. Messages never quote the
 * text: it may be a pasted key.
 */
const filePath: Check<string> = (value, complain) => {
  const text = asText(value);
  if (text === undefined) complain.problem('must be the path of a file');
  else if (/-----BEGIN|\p{Cc}/u.test(text) || text.length > MAX_PATH) {
    complain.problem('must be the path of a file, not the content of the file');
  } else return text;
  return undefined;
};

/** One line of text. */
const text: Check<string> = (value, complain) => {
  const written = asText(value);
  if (written === undefined) {
    complain.problem(`must be text, not ${show(value)}${value.kind === 'scalar' ? '; put it in quotes' : ''}`);
  } else if (/\p{Cc}/u.test(written)) {
    complain.problem('must be one line, without control characters');
  } else return written;
  return undefined;
};

/** The names of a cluster's own keys (`AbstractDCS` in `patroni/dcs/__init__.py`). */
const CLUSTER_KEYS: readonly string[] =
  'config failover failsafe history initialize leader members optime status sync'.split(' ');

/**
 * What the names of keys in a DCS begin with. Patroni makes one slash of several (`AbstractDCS.__init__` in
 * patroni/dcs/__init__.py), and so does this check. It also removes a slash at the end.
 */
const keyPrefix: Check<string> = (value, complain) => {
  const written = text(value, complain);
  if (written === undefined) return undefined;
  const parts = written.split('/').filter((part) => part !== '');
  const prefix = `/${parts.join('/')}`;
  if (parts.length === 0) {
    complain.problem(`must be namespace and scope of patroni.yml, such as /service/main, not ${shown(value)}`);
  } else if (!written.startsWith('/')) {
    complain.problem(`must begin with a slash: write ${quote(prefix)}, not ${shown(value)}`);
  } else if (parts.length === 1) {
    complain.warning(
      `${quote(prefix)} has only one part: is it namespace and scope of patroni.yml, such as /service/main?`,
    );
  } else {
    const at = parts.findIndex((part, index) => index > 1 && CLUSTER_KEYS.includes(part));
    const cluster = `/${parts.slice(0, at).join('/')}`;
    if (at !== -1) complain.warning(`${quote(prefix)} looks like one key of the cluster: is it ${quote(cluster)}?`);
  }
  return prefix;
};

const LOG_FIELDS = 'amUsD%';

/** A line with the fields `%a %m %U %s %D %%`. A percent sign before any other character than a letter stays as it is. */
const logFormat: Check<string> = (value, complain) => {
  const text = asText(value)?.replace(/\n+$/, ''); // a block in YAML ends in a line feed
  if (text === undefined) {
    complain.problem(`must be text, not ${show(value)}`);
  } else if (/\p{Cc}/u.test(text)) {
    complain.problem('must be one line, without control characters');
  } else {
    const unknown = [...new Set(text.match(/%[A-Za-z%]/g))].filter((field) => !LOG_FIELDS.includes(field.charAt(1)));
    if (unknown.length === 0) return text;
    complain.problem(
      `unknown ${unknown.join(', ')}: the known fields are %a client address, %m method, %U URI, %s status, ` +
        '%D microseconds taken and %% a percent sign',
    );
  }
  return undefined;
};

/** The lowest TLS version for clients, by its name in Node. */
const minVersion: Check<TlsVersion> = (value, complain) => {
  const version = parseMinVersion(asText(value) ?? '');
  if (version === undefined) complain.problem(`must be one of ${minVersions.join(', ')}, not ${show(value)}`);
  else if (version.warning !== undefined) complain.warning(version.warning);
  return version?.minVersion;
};

/**
 * Cipher names of OpenSSL, in the order of the list, or a cipher string of OpenSSL. Names that OpenSSL handles without an
 * entry are left out, with a warning.
 */
const ciphers: Check<readonly string[] | string> = (value, complain) => {
  const string = asText(value);
  if (string !== undefined) {
    const { chosen, problems, warnings } = parseCipherString(string);
    for (const warning of warnings) complain.warning(warning);
    for (const problem of problems) complain.problem(problem);
    return chosen;
  }
  if (value.kind !== 'list') {
    complain.problem(`must be a list of cipher names, or a cipher string of OpenSSL, not ${show(value)}`);
    return undefined;
  }
  const served = new Set<string>();
  for (const item of value.items) {
    const name = asText(item);
    if (name === undefined) {
      complain.problem(`must be a list of cipher names; ${shown(item)} is not a cipher name`, item.at);
      continue;
    }
    const cipher = parseCipher(name);
    if (cipher.kind === 'served') served.add(cipher.openssl);
    else if (cipher.kind === 'ignored') complain.warning(cipher.warning, item.at);
    else complain.problem(cipher.problem, item.at);
  }
  return [...served];
};

/** Routes of the table in src/patroni/routes.ts, as written. */
const routes: Check<readonly string[]> = (value, complain) => {
  if (value.kind !== 'list') {
    complain.problem(`must be a list of routes, such as [/primary, /replica], not ${show(value)}`);
    return undefined;
  }
  if (value.items.length === 0) complain.problem('the list is empty: name a route, or remove the key');
  return value.items.flatMap((item) => route(item, complain) ?? []);
};

/** A route of the table in src/patroni/routes.ts, as written. */
const route: Check<string> = (value, complain) => {
  const text = asText(value);
  const canonical = text === undefined ? undefined : canonicalRoute(text);
  if (text === undefined || canonical === undefined) {
    const malformed = text?.startsWith('/') ? whatIsWrong(text) : undefined;
    if (malformed !== undefined) complain.problem(`malformed route ${shown(value)}: ${malformed}`, value.at);
    else complain.problem(`unknown route ${shown(value)}: ${suggestRoute(text ?? '')}`, value.at);
    return undefined;
  }
  const ignored = ignoredFields(text, canonical);
  if (ignored.length > 0) {
    complain.warning(
      `patroniglue polls ${canonical} for ${shown(value)}: Patroni ignores ${ignored.join(', ')}`,
      value.at,
    );
  }
  return text;
};

/** Networks in CIDR notation, or single addresses. */
function networks({ empty }: KindOf<'networks'>): Check<readonly Network[]> {
  return (value, complain) => {
    if (value.kind !== 'list') {
      const isEmpty = value.kind === 'nothing' || asText(value) === '';
      const mustBe = `must be a list of networks, such as [10.0.0.0/24, fd00::/64], not ${show(value)}`;
      complain.problem(isEmpty ? (empty ?? mustBe) : mustBe);
      return undefined;
    }
    return value.items.flatMap((item) => {
      const network = networkIn(asText(item) ?? '');
      if (network !== undefined) return [network];
      complain.problem(`must be an address or a network, such as 10.0.0.0/24, not ${shown(item)}`, item.at);
      return [];
    });
  };
}

/** An address with a zone (`fe80::1%eth0`) is none: the zone of a client is not looked at. */
function networkIn(text: string): Network | undefined {
  const [, address = '', length] = /^([^/%]*)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const longest = { 0: -1, 4: 32, 6: 128 }[isIP(address)] ?? -1;
  const prefix = length === undefined ? longest : Number(length);
  return longest > 0 && prefix <= longest ? { address, prefix } : undefined;
}

/**
 * The fields of a route's query that its canonical spelling does not have. If a key is repeated, the canonical spelling has
 * the first value that is not empty.
 */
function ignoredFields(route: string, canonical: string): string[] {
  const kept = new Set(new URL(canonical, 'http://localhost').searchParams.keys());
  const fields = [...new URL(route, 'http://localhost').searchParams];
  return fields.filter(([key, value]) => value === '' || !kept.delete(key)).map(([key, value]) => `${key}=${value}`);
}

function suggestRoute(route: string): string {
  const close = nearest(route.replace(/\?.*$/s, ''), knownPaths);
  return close === undefined ? `the known routes are ${knownPaths.join(', ')}` : `did you mean ${close}?`;
}

/** The text of a scalar that is text; `undefined` for every other value. */
export function asText(value: YamlValue): string | undefined {
  return value.kind === 'scalar' && typeof value.value === 'string' ? value.value : undefined;
}

/** A value for a message, in a few words. Only for values that cannot be secret. */
export function show(value: YamlValue, prefix = 'the text '): string {
  if (value.kind === 'nothing') return 'nothing';
  if (value.kind !== 'scalar') return `a ${value.kind}`;
  return typeof value.value === 'string' ? prefix + quote(value.value) : String(value.value);
}

/** The same for a value of which a message already says that it is text. */
const shown = (value: YamlValue): string => show(value, '');

/** A text in quotes for a message: shortened, on one line, with invisible characters as escapes. */
export function quote(text: string): string {
  return escapeInvisible(JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}...` : text));
}

import { wordsOf } from './words.js';

/** A haproxy.cfg that somebody has named. */
export interface HaproxyFile {
  readonly file: string;
  readonly checks: readonly ProxyChecks[];
  /** Servers that have an agent check and no health check. */
  readonly agentsAlone: readonly AgentsAlone[];
}

/** What the servers of a section of haproxy.cfg are asked. */
export interface ProxyChecks {
  /** `listen primary` */
  readonly section: string;
  /** The line of the section, from 1. */
  readonly line: number;
  /** What the HTTP checks ask for, in the order of the rules. `undefined` if the text depends on HAProxy's variables. */
  readonly targets: readonly (string | undefined)[];
  /** Servers with an HTTP check. */
  readonly servers: readonly CheckedServer[];
  /** `timeout check`. */
  readonly timeoutMs: number | undefined;
}

/** A server of HAProxy that has a health check. */
interface CheckedServer {
  readonly name: string;
  /** The name or address that the check asks. An IPv6 address has no brackets. Empty if the file does not tell it. */
  readonly host: string;
  /** The port that the check asks. `undefined` if the file does not tell it. */
  readonly port: number | undefined;
  /** The time from check to check while the server is UP, and after a first failure. */
  readonly interMs: number;
  readonly fastInterMs: number;
  /** Failed checks after which HAProxy marks the server DOWN. */
  readonly fall: number;
  /** What an agent check sends, and to which port. */
  readonly agent: { readonly port: number; readonly sends: string } | undefined;
}

/** Servers of a section that have an agent check and no health check: HAProxy ignores an agent that it cannot reach. */
export interface AgentsAlone {
  readonly section: string;
  /** The line of the section, from 1. */
  readonly line: number;
  readonly servers: readonly string[];
}

/** `inter`, `fall` and the like of a server, or of `default-server`. */
interface ServerSettings {
  readonly check?: boolean;
  readonly host?: string;
  readonly port?: number;
  readonly interMs?: number;
  readonly fastInterMs?: number;
  readonly fall?: number;
  readonly agentCheck?: boolean;
  readonly agentPort?: number;
  readonly agentSend?: string;
}

/** The settings of a section that a `defaults` section passes on. */
interface Settings {
  /** The section has HTTP checks. */
  isHttp: boolean;
  /** The URI of `option httpchk`; `undefined` without that option among the same rules. */
  option: string | undefined;
  /** The URIs of `http-check send`: `null` for a rule without one, `undefined` for one that is not known. */
  sends: readonly (string | null | undefined)[];
  server: ServerSettings;
  timeoutMs: number | undefined;
}

interface Section extends Settings {
  readonly name: string;
  readonly line: number;
  readonly servers: { readonly name: string; readonly address: string; readonly settings: ServerSettings }[];
  /** The section has rules of its own, so those of the defaults section do not count. */
  hasOwnRules: boolean;
}

/** HAProxy's words for the beginning of a section. */
const SECTIONS = new Set([
  ...[
    'acme',
    'backend',
    'cache',
    'crt-store',
    'defaults',
    'dynamic-update',
    'fcgi-app',
    'frontend',
    'global',
    'healthcheck',
  ],
  ...['http-errors', 'listen', 'log-forward', 'log-profile', 'mailers', 'peers', 'program', 'resolvers', 'ring'],
  ...['traces', 'userlist'],
]);

/** Checks that replace an HTTP check, and that an HTTP check replaces. */
const OTHER_CHECKS = new Set([
  ...['external-check', 'ldap-check', 'mysql-check', 'pgsql-check', 'redis-check', 'smtpchk', 'spop-check'],
  ...['ssl-hello-chk', 'tcp-check'],
]);

/** The most requests of a check that are read. A file that is no configuration may have a hundred thousand of them. */
const MAX_SENDS = 100;

const INTER_MS = 2000;
const FALL = 3;

/**
 * The HTTP checks in a haproxy.cfg, section by section (HAProxy's manual: `option httpchk`, `http-check send`,
 * `default-server`, `check`). Never throws: what it does not know is left out.
 */
export function checksIn(text: string): readonly ProxyChecks[] {
  return sectionsIn(text).flatMap((section) => checksOf(section) ?? []);
}

/** The servers in a haproxy.cfg that have an agent check and no health check. Never throws. */
export function agentsAloneIn(text: string): readonly AgentsAlone[] {
  return sectionsIn(text).flatMap(({ name, line, servers }) => {
    const alone = servers.filter(({ settings }) => settings.agentCheck === true && settings.check !== true);
    return alone.length === 0 ? [] : [{ section: name, line, servers: alone.map((server) => server.name) }];
  });
}

function sectionsIn(text: string): readonly Section[] {
  const proxies: Section[] = [];
  const named = new Map<string, Section>();
  let defaults: Section | undefined;
  let current: Section | undefined;
  text.split(/\r?\n/).forEach((line, index) => {
    const words = wordsOf(line);
    const [keyword = '', name = ''] = words;
    if (!SECTIONS.has(keyword)) {
      if (current !== undefined) read(words, current);
      return;
    }
    current = undefined;
    const from = words[words.indexOf('from', 1) + 1];
    const base = words.includes('from', 1) ? named.get(from ?? '') : defaults;
    if (keyword === 'defaults') {
      current = sectionFrom(words.includes('from', 1) ? base : undefined, keyword, index + 1);
      defaults = current;
      named.set(name, current);
    } else if (keyword === 'listen' || keyword === 'backend') {
      current = sectionFrom(base, `${keyword} ${name}`, index + 1);
      proxies.push(current);
    }
  });
  return proxies;
}

function sectionFrom(base: Section | undefined, name: string, line: number): Section {
  const { isHttp = false, option, sends = [], server = {}, timeoutMs } = base ?? {};
  return { isHttp, option, sends, server, timeoutMs, name, line, servers: [], hasOwnRules: false };
}

function read(words: readonly string[], section: Section): void {
  const [first = '', second = '', third = ''] = words;
  if (first === 'option' && second === 'httpchk') {
    readOption(words.slice(2), section);
  } else if (first === 'option' && OTHER_CHECKS.has(second)) {
    section.isHttp = false;
  } else if (first === 'http-check' && !['disable-on-404', 'send-state'].includes(second)) {
    ownRules(section);
    if (second === 'send' && section.sends.length < MAX_SENDS) {
      section.sends = [...section.sends, uriOfSend(words.slice(2))];
    }
  } else if (first === 'timeout' && second === 'check') {
    section.timeoutMs = timeMs(third) ?? section.timeoutMs;
  } else if (first === 'default-server') {
    section.server = { ...section.server, ...serverSettings(words.slice(1)) };
  } else if (first === 'server' || first === 'server-template') {
    const address = first === 'server' ? 2 : 3; // server-template has a number before it
    const settings = { ...section.server, ...serverSettings(words.slice(address + 1)) };
    section.servers.push({ name: second, address: words[address] ?? '', settings });
  }
}

/** The first rule of a section of its own replaces all rules of the defaults section, and their URIs. */
function ownRules(section: Section): void {
  if (section.hasOwnRules) return;
  section.option = undefined;
  section.sends = [];
  section.hasOwnRules = true;
}

/** A URI here counts before the URI of an `http-check send` that stands above it. */
function readOption(words: readonly string[], section: Section): void {
  ownRules(section);
  section.isHttp = true;
  const uri = uriOfOption(words);
  if (words.length > 0 && section.sends.length > 0) section.sends = [uri, ...section.sends.slice(1)];
  else section.option = uri;
}

/** `option httpchk`, `option httpchk <uri>`, `option httpchk <method> <uri> [<version>]`. */
function uriOfOption(words: readonly string[]): string {
  const [first = '/', second] = words;
  return second ?? first;
}

function uriOfSend(words: readonly string[]): string | null | undefined {
  const at = words.findIndex((word) => word === 'uri' || word === 'uri-lf');
  if (at === -1) return null;
  const uri = words[at + 1];
  return words[at] === 'uri-lf' && uri?.includes('%') === true ? undefined : (uri ?? null);
}

function serverSettings(words: readonly string[]): ServerSettings {
  const after = (word: string): string | undefined => {
    const at = words.lastIndexOf(word);
    return at === -1 ? undefined : words[at + 1];
  };
  const count = (word: string): number | undefined => {
    const text = after(word) ?? '';
    return /^\d{1,9}$/.test(text) ? Number(text) : undefined;
  };
  const switched = (on: string, off: string): boolean | undefined => {
    const [lastOn, lastOff] = [words.lastIndexOf(on), words.lastIndexOf(off)];
    return lastOn === lastOff ? undefined : lastOn > lastOff;
  };
  const settings = {
    check: switched('check', 'no-check'),
    host: after('addr'),
    port: count('port'),
    interMs: timeMs(after('inter')),
    fastInterMs: timeMs(after('fastinter')),
    fall: count('fall'),
    agentCheck: switched('agent-check', 'no-agent-check'),
    agentPort: count('agent-port'),
    agentSend: after('agent-send'),
  };
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}

const UNITS_MS: Readonly<Record<string, number>> = {
  us: 0.001,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** A time of HAProxy, in milliseconds: without a unit, it is in milliseconds. HAProxy rounds microseconds up. */
function timeMs(text: string | undefined): number | undefined {
  const [, digits, unit] = /^(\d{1,12})(us|ms|s|m|h|d)?$/.exec(text ?? '') ?? [];
  return digits === undefined ? undefined : Math.ceil(Number(digits) * (UNITS_MS[unit ?? 'ms'] ?? 1));
}

function checksOf(section: Section): ProxyChecks | undefined {
  const checked = section.servers.filter(({ settings }) => settings.check === true);
  if (!section.isHttp || checked.length === 0) return undefined;
  const { name, line, timeoutMs } = section;
  return { section: name, line, targets: targetsOf(section), servers: checked.map(serverOf), timeoutMs };
}

/** The first `http-check send` takes the URI of `option httpchk` if it has none (seen in HAProxy 2.6). */
function targetsOf({ option, sends }: Settings): readonly (string | undefined)[] {
  if (sends.length === 0) return option === undefined ? [] : [option];
  return sends.map((uri, at) => (uri === null ? ((at === 0 ? option : undefined) ?? '/') : uri));
}

function serverOf({ name, address, settings }: Section['servers'][number]): CheckedServer {
  const {
    host = hostIn(address),
    port = portIn(address),
    interMs = INTER_MS,
    fastInterMs = interMs,
    fall = FALL,
  } = settings;
  const { agentCheck, agentPort, agentSend } = settings;
  const agent =
    agentCheck === true && agentPort !== undefined ? { port: agentPort, sends: (agentSend ?? '').trim() } : undefined;
  return { name, host, port, interMs, fastInterMs, fall: Math.max(1, fall), agent };
}

/** The host of `10.0.0.11:5432`, `ipv4@10.0.0.11:5432` or `[::1]:5432`: HAProxy's manual, "11. Address formats". */
function hostIn(address: string): string {
  const bare = address.replace(/^(?:ipv[46]|tcp[46]?)@/, '');
  const [, bracketed] = /^\[([^\]]*)\]/.exec(bare) ?? [];
  return bracketed ?? bare.replace(/:\+?\d*$/, '');
}

function portIn(address: string): number | undefined {
  const [, digits] = /:\+?(\d{1,5})$/.exec(address) ?? [];
  return digits === undefined ? undefined : Number(digits);
}

/** The longest time from the first check that must fail until HAProxy marks a server of the section DOWN, in milliseconds. */
export function timeToDownMs({ servers }: Pick<ProxyChecks, 'servers'>): number {
  return Math.max(...servers.map(({ interMs, fastInterMs, fall }) => interMs + (fall - 1) * fastInterMs));
}

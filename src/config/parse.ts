import { DEFAULT_CIPHERS } from 'node:tls';
import { readAgent } from './agent.js';
import { type FileSource, readCa, readPair, readPairPaths } from './pem-files.js';
import { withHints } from './hints.js';
import { mustHaveItsOwnPort, mustNotAskItself } from './listen-address.js';
import { createSections, type Field, type Findings, type Section, valueOf } from './section.js';
import { readTimes } from './times.js';
import * as check from './checks.js';
import { ConfigError, type Problem } from '../errors.js';
import { defaultRoutes } from '../patroni/routes.js';
import { cipherWarnings, keyTypeWarning, securityLevel } from './tls-names.js';
import type { BackendTls, Config, FrontendTls } from './types.js';
import { readYaml } from './yaml.js';

/** What {@link parseConfig} reads. */
export interface ConfigSource extends FileSource {
  /** The YAML text. */
  readonly text: string;
  /** Its name in messages. */
  readonly file: string;
}

const EMPTY =
  'the file says nothing: it is empty or has comments alone; is it still being written? (where every default is meant, write {})';

/**
 * The configuration in a YAML text. One that says nothing is an error, since it may be half-way through being written; `{}`
 * has every default. What the syntax allows to be read is read to the
 * end, so that all problems come at once; a broken syntax is reported alone, since the rest would be guesses.
 *
 * @throws ConfigError with every problem, in the order of the file
 */
export function parseConfig({ text, file, readFile, nowMs }: ConfigSource): Config {
  const { root, problems: syntax, broken } = readYaml(text);
  if (broken) throw new ConfigError(file, withHints(text, inOrder(syntax)));
  if (root.kind === 'nothing')
    throw new ConfigError(file, inOrder([...syntax, { line: 1, column: 1, message: EMPTY }]));
  const findings: Findings = { problems: [...syntax], warnings: [] };
  const section = createSections(root, findings);

  const frontendSection = section('frontend');
  const backendSection = section('backend');
  const cacheSection = section('cache');
  const frontend = readFrontend(frontendSection, { readFile, nowMs });
  const { timeoutMs, ...cache } = readTimes(cacheSection, backendSection);
  const backend = readBackend(backendSection, { readFile, nowMs });
  mustNotAskItself([frontendSection, frontend], [backendSection, backend]);
  const agentSection = section('agent');
  const agent = readAgent(agentSection, frontend.host);
  mustHaveItsOwnPort(agentSection, agent, { frontend, backend });
  const learn = valueOf(cacheSection.read('learn', check.wholeNumber(0, 1000)), 16);
  const leaseGuard = valueOf(cacheSection.read('lease-guard', check.truth), true);
  const format = valueOf(section('log').read('format', check.oneOf('text', 'json')), 'text' as const);

  if (findings.problems.length > 0) throw new ConfigError(file, withHints(text, inOrder(findings.problems)));
  return deepFreeze({
    frontend,
    backend: { ...backend, timeoutMs },
    agent,
    cache: { ...cache, learn, leaseGuard },
    log: { format },
    warnings: inOrder(findings.warnings).map(({ line, column, message }) => `${file}:${line}:${column}: ${message}`),
  });
}

function readFrontend(section: Section<'frontend'>, source: FileSource): Config['frontend'] {
  const host = section.read('host', listenHost, 'emptyCounts');
  const port = section.read('port', check.wholeNumber(0, 65_535));
  const logFormat = section.read('logformat', check.logFormat);
  const status = section.read('status', check.truth);
  const refreshFrom = section.read('refresh-from', check.networks);
  const proxyProtocol = section.read('proxy-protocol', check.truth);
  const tls = readFrontendTls(section, source);
  return {
    host: valueOf(host, 'localhost'),
    port: valueOf(port, 80),
    ...(tls && { tls }),
    logFormat: valueOf(logFormat, '%a - %m %U'),
    status: valueOf(status, true),
    refreshFrom: valueOf(refreshFrom, []),
    proxyProtocol: valueOf(proxyProtocol, false),
  };
}

/** The Go program listened at all addresses for an empty host; too much to be given without being asked for. */
const listenHost: check.Check<string> = (value, complain) => {
  if (check.asText(value) !== '') return check.host(value, complain);
  complain.problem('must not be empty; write 0.0.0.0 or "::" for all addresses, or leave the key out for localhost');
  return undefined;
};

function readFrontendTls(section: Section<'frontend'>, source: FileSource): FrontendTls | undefined {
  const paths = readPairPaths(section);
  const minVersion = section.read('tls-min-version', check.minVersion);
  const ciphers = section.read('tls-ciphers', check.ciphers);
  if (paths.certfile.kind === 'absent' && paths.keyfile.kind === 'absent') {
    warnOfNoEffect(section, { 'tls-min-version': minVersion, 'tls-ciphers': ciphers }, 'without certfile and keyfile');
    return undefined;
  }
  const version = valueOf(minVersion, 'TLSv1.2');
  const names = valueOf(ciphers, []);
  if (ciphers.kind === 'given' && minVersion.kind !== 'bad') {
    for (const warning of cipherWarnings(version, names)) section.complain('tls-ciphers', ciphers.at).warning(warning);
  }
  const level = securityLevel(version, names);
  const pair = readPair(section, paths, source, [DEFAULT_CIPHERS, ...(level === undefined ? [] : [level])].join(':'));
  const misfit = pair && keyTypeWarning(names, pair.cert);
  if (misfit !== undefined && ciphers.kind === 'given') section.complain('tls-ciphers', ciphers.at).warning(misfit);
  return pair && { ...pair, minVersion: version, ...(names.length > 0 && { ciphers: names }) };
}

function readBackend(section: Section<'backend'>, source: FileSource): Omit<Config['backend'], 'timeoutMs'> {
  const host = section.read('host', check.host);
  const port = section.read('port', check.wholeNumber(1, 65_535));
  const scheme = valueOf(section.read('scheme', check.oneOf('http', 'https')), 'http' as const);
  const routes = section.read('routes', check.routes);
  const backend = { host: valueOf(host, 'localhost'), port: valueOf(port, 8008), scheme };
  return { ...backend, tls: readBackendTls(section, scheme, source), routes: valueOf(routes, defaultRoutes) };
}

function readBackendTls(section: Section<'backend'>, scheme: 'http' | 'https', source: FileSource): BackendTls {
  const insecure = section.read('insecure', check.truth);
  const servername = section.read('servername', check.host);
  const cafile = section.read('cafile', check.filePath);
  const paths = readPairPaths(section);
  const isInsecure = valueOf(insecure, false);
  if (scheme === 'http') {
    // A warning, no error: files that wait for the day when scheme becomes https harm nobody.
    const idle = { servername, cafile, ...paths, ...(isInsecure && { insecure }) };
    warnOfNoEffect(section, idle, 'while backend.scheme is http');
    return { insecure: isInsecure };
  }
  if (insecure.kind === 'given' && isInsecure) {
    const unused = cafile.kind === 'given' ? ', and cafile has no effect' : '';
    section
      .complain('insecure', insecure.at)
      .warning(`Patroni's certificate is not checked: whoever is in between can answer for it${unused}`);
  }
  return {
    insecure: isInsecure,
    ...(servername.kind === 'given' && { servername: servername.value }),
    ...readCa(section, cafile, source),
    ...readPair(section, paths, source),
  };
}

function warnOfNoEffect<N extends 'frontend' | 'backend'>(
  section: Section<N>,
  fields: Partial<Record<Parameters<Section<N>['complain']>[0], Field<unknown>>>,
  why: string,
): void {
  for (const [key, field] of Object.entries(fields) as [Parameters<Section<N>['complain']>[0], Field<unknown>][]) {
    if (field.kind === 'given') section.complain(key, field.at).warning(`has no effect ${why}`);
  }
}

/** In the order of the file. What an alias brings in twice is said once. */
function inOrder(problems: readonly Problem[]): Problem[] {
  const unique = new Map(problems.map((problem) => [`${problem.line}:${problem.column}:${problem.message}`, problem]));
  return [...unique.values()].sort((a, b) => a.line - b.line || a.column - b.column);
}

function deepFreeze<T extends object>(object: T): Readonly<T> {
  for (const value of Object.values(object))
    if (typeof value === 'object' && value !== null) deepFreeze(value as object);
  return Object.freeze(object);
}

import { isIP } from 'node:net';
import { authority } from '../network/authority.js';
import { isLoopback } from '../network/loopback.js';
import { jsonObject } from '../patroni/json-body.js';
import { nodeIn } from '../patroni/node-facts.js';
import type { Answer } from '../patroni/types.js';
import type { Facts } from './types.js';

/** What Patroni's latest answers say of its node. What no answer has said is absent. */
export interface PatroniSays {
  /** `patroni.name`, from 3.2 on. */
  readonly name?: string;
  readonly systemIdentifier?: string;
  /** Patroni answered 200 to a route that only the holder of the leader key answers with 200. */
  readonly leads?: boolean;
  readonly isRunning?: boolean;
}

/** This host, as far as it matters for telling whether a member of the cluster is this node. */
export interface ThisHost {
  readonly hostname: string;
  readonly addresses: readonly string[];
  /** `witness.postgres`; absent if it is not asked. */
  readonly postgres?: { readonly host: string; readonly port: number };
}

/** Why the witness must not be used. */
export interface Disagreement {
  /** For people: it names the key of the configuration to correct. */
  readonly message: string;
  /** False if a change under way may be the cause, such as a switchover: then it counts only if it is found again. */
  readonly isCertain: boolean;
}

/** What an answer adds to what Patroni says. */
export function saidIn(route: string, { status, body }: Answer): PatroniSays {
  const said = jsonObject(body) ?? {};
  const { name, role, state } = nodeIn({ status, body });
  const systemIdentifier = said['database_system_identifier'];
  const leads = leadsBy(route, status, role);
  return {
    ...(name !== undefined && { name }),
    ...(typeof systemIdentifier === 'string' && { systemIdentifier }),
    ...(leads !== undefined && { leads }),
    ...(state !== undefined && { isRunning: state === 'running' }),
  };
}

/** The routes that only the holder of the leader key answers with 200. */
const LEADERS_ROUTES: readonly string[] = ['/primary', '/leader', '/standby-leader'];

/** `/primary` is 503 at a standby leader, `/standby-leader` at a primary: then only the role tells. */
function leadsBy(route: string, status: number, role: string | undefined): boolean | undefined {
  if (!LEADERS_ROUTES.includes(route)) return undefined;
  if (status === 200) return true;
  return route === '/leader' || role === 'replica' ? false : undefined;
}

/**
 * Compares the keys in the DCS with what Patroni says, at about the same time. `undefined` if nothing contradicts. A witness
 * that asks for another node, another cluster or at another place must never give a 200.
 *
 * @param host needed where Patroni does not say its name: before 3.2, and before its first answer
 * @param wasFound an earlier comparison, of the same settings, has found the node: then its name is right
 */
export function disagreement(
  facts: Facts,
  said: PatroniSays,
  host: ThisHost,
  wasFound = false,
): Disagreement | undefined {
  const { name, keys, member, postgres } = facts;
  const certainly = (message: string): Disagreement => ({ message, isCertain: true });
  const perhaps = (message: string): Disagreement => ({ message, isCertain: false });
  if (said.name !== undefined && said.name !== name)
    return certainly(
      `witness.name is ${name}, but Patroni calls this node ${said.name}: correct or remove witness.name`,
    );
  if (keys.initialize === undefined)
    return certainly(
      'etcd has no cluster under witness.key: write namespace and scope of patroni.yml, such as /service/main',
    );
  if (said.systemIdentifier !== undefined && said.systemIdentifier !== keys.initialize)
    return certainly(
      `under witness.key is another cluster (system identifier ${keys.initialize}, but Patroni says ${said.systemIdentifier}): ` +
        'correct witness.key or witness.etcd3.hosts',
    );
  if (member === undefined) return perhaps(noMember(name, wasFound || said.name === name));
  if (said.name === undefined) {
    const elsewhere = isElsewhere(member['conn_url'], host);
    if (elsewhere !== undefined)
      return certainly(
        `${elsewhere}: the member ${name} may be another node, and Patroni does not say its own name (it does from 3.2 on); ` +
          'correct witness.name or witness.postgres',
      );
  }
  if (said.leads !== undefined && said.leads !== (keys.leader?.value === name))
    return perhaps(
      `Patroni answers ${said.leads ? '200' : '503'} as ${said.leads ? 'the' : 'no'} leader, but the leader key names ` +
        `${keys.leader?.value ?? 'no node'}: correct witness.name (${name}) or witness.key`,
    );
  if (said.isRunning === true && (postgres === 'refuses' || postgres === 'silent'))
    return perhaps(
      `Patroni says that PostgreSQL is running, but it accepts no connections at ${postgresText(host)}: ` +
        'write the address of this node in postgresql.listen of patroni.yml as witness.postgres',
    );
  return undefined;
}

/** The member key has a lease: it vanishes when Patroni's HA loop stands still for `ttl`, and that is no mistake of a person. */
function noMember(name: string, isNameRight: boolean): string {
  const found = `etcd has no member ${name} under witness.key`;
  return isNameRight
    ? `${found}, although name and key are right: its key has expired, and Patroni has not written it again; look at the log of Patroni`
    : `${found}: if ${name} is not the name in patroni.yml, correct witness.name; if it is, the key has expired: look at the log of Patroni`;
}

/** Where the connection was tried, and the key that says so: a person may not have written the key. */
function postgresText({ postgres }: Pick<ThisHost, 'postgres'>): string {
  return postgres
    ? `${authority(postgres.host, postgres.port)} (witness.postgres, or its default)`
    : 'witness.postgres';
}

/** Why a member's PostgreSQL is not certainly on this host; `undefined` if it is. Nothing is looked up. */
function isElsewhere(connUrl: unknown, { hostname, addresses, postgres }: ThisHost): string | undefined {
  const url = typeof connUrl === 'string' && URL.canParse(connUrl) ? new URL(connUrl) : undefined;
  if (url === undefined) return 'conn_url is no URL';
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const shown = `conn_url is at ${url.host}`;
  if (isIP(host) === 0 && !isSameName(host, hostname)) return `${shown}, and the name of this host is ${hostname}`;
  if (isIP(host) !== 0 && !isLoopback(host) && !addresses.includes(host)) return `${shown}, no address of this host`;
  const port = Number(url.port || 5432);
  if (postgres !== undefined && port !== postgres.port)
    return `${shown}, and patroniglue asks ${postgresText({ postgres })}`;
  return undefined;
}

/** True for `node1` and `node1.example.org`, but not for two different full names. */
function isSameName(one: string, other: string): boolean {
  const [a, b] = [one.toLowerCase(), other.toLowerCase()];
  return a === 'localhost' || a === b || a.startsWith(`${b}.`) || b.startsWith(`${a}.`);
}

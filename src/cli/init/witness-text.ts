import { authority } from '../../network/authority.js';
import { type Dcs, type Etcd3Settings, PASSWORD_FILE } from './dcs-settings.js';
import { isHost } from './endpoints.js';
import type { PatroniSettings } from './patroni-settings.js';
import { comment, commented, keyLine, listLines } from './yaml-text.js';

/** Most hosts that patroniglue's configuration takes. */
const MAX_HOSTS = 16;

/** Why there is no witness for a DCS. */
const NO_WITNESS: Readonly<Record<Extract<Dcs, { kind: 'other' }>['name'], string>> = {
  consul: "Consul, and Consul tells nobody how much is left of a session's time",
  etcd: 'the v2 API of etcd (section etcd), and its keys are not in the v3 store that patroniglue reads. With the section etcd3 in patroni.yml there would be a witness',
  exhibitor: "ZooKeeper, and ZooKeeper tells nobody how much is left of a session's time",
  kubernetes: 'Kubernetes, and patroniglue does not read the API of Kubernetes',
  raft: 'Raft inside Patroni itself, and a Patroni that is frozen tells nothing',
  zookeeper: "ZooKeeper, and ZooKeeper tells nobody how much is left of a session's time",
};

/** The section `witness`, or a comment that says why there is none. */
export function witnessText(patroni: PatroniSettings): readonly string[] {
  const { dcs } = patroni;
  switch (dcs.kind) {
    case 'none':
      return none(
        'patroni.yml names no DCS. If Patroni has it in its environment (PATRONI_ETCD3_HOSTS and the like), run --init with ' +
          'the same variables.',
      );
    case 'other':
      return none(`Patroni's DCS is ${NO_WITNESS[dcs.name]}.`);
    case 'etcd3':
      return dcs.hosts.length === 0 ? withoutHosts(patroni, dcs) : sectionText(patroni, dcs);
  }
}

function none(why: string): readonly string[] {
  return comment(
    `No section witness: ${why} Everything else works without it. While Patroni does not answer, patroniglue answers 503 ` +
      'after cache.ttl.',
  );
}

/** The section, commented out: the operator has to write the hosts. */
function withoutHosts(patroni: PatroniSettings, dcs: Etcd3Settings): readonly string[] {
  const why =
    dcs.srv === undefined
      ? 'patroni.yml has no host of etcd in the section etcd3.'
      : `patroni.yml has DNS SRV records for etcd (${dcs.srv}), which patroniglue does not look up.`;
  const example = { ...dcs, hosts: [{ host: '10.0.0.21', port: 2379 }] };
  return [
    ...comment(`${why} For a witness, write the hosts of etcd here and remove the # of these lines:`),
    ...commented(sectionText(patroni, example).filter((line) => !line.trimStart().startsWith('#'))),
  ];
}

function sectionText(patroni: PatroniSettings, dcs: Etcd3Settings): readonly string[] {
  const { name, key, postgres } = patroni;
  return [
    '# Whom patroniglue asks while Patroni does not answer: etcd, which has the leader key, and PostgreSQL.',
    'witness:',
    ...comment('etcd3 in patroni.yml. patroniglue only reads.', 2),
    '  etcd3:',
    ...hostsText(dcs),
    ...schemeText(dcs),
    ...loginText(dcs),
    ...comment('namespace and scope (with Citus: and the group). All nodes of the cluster have the same.', 2),
    keyLine(2, 'key', key),
    ...comment('name: this node alone.', 2),
    keyLine(2, 'name', name),
    ...postgresText(postgres),
  ];
}

function hostsText({ hosts, isProxy }: Etcd3Settings): readonly string[] {
  return [
    ...(isProxy ? comment('patroni.yml has a proxy of etcd here. The hosts of etcd itself are better.', 4) : []),
    ...(hosts.length > MAX_HOSTS
      ? comment(`The first ${MAX_HOSTS} of the ${hosts.length} hosts in patroni.yml.`, 4)
      : []),
    '    hosts:',
    ...listLines(
      6,
      hosts.slice(0, MAX_HOSTS).map(({ host, port }) => authority(host, port)),
    ),
  ];
}

function schemeText({ https, cafile, client }: Etcd3Settings): readonly string[] {
  if (!https) {
    const about = "http: anybody in between can answer in etcd's place.";
    return [...comment(about, 4), keyLine(4, 'scheme', 'http')];
  }
  const noCa = 'patroni.yml names no CA (etcd3.cacert). If the CA is your own, write its file:';
  return [
    keyLine(4, 'scheme', 'https'),
    ...(cafile === undefined
      ? [...comment(noCa, 4), ...comment('cafile: /etc/patroniglue/etcd-ca.pem', 4)]
      : [keyLine(4, 'cafile', cafile)]),
    ...(client === undefined ? [] : [keyLine(4, 'certfile', client.certfile), keyLine(4, 'keyfile', client.keyfile)]),
  ];
}

function loginText({ username, passwordFile }: Etcd3Settings): readonly string[] {
  if (username === undefined) return [];
  const about =
    `Patroni logs in to etcd as this user. Write the user's password into ${PASSWORD_FILE}, in one line, and let ` +
    'only root read the file. A user of its own is better: a role that may read the keys below is enough.';
  return [...comment(about, 4), keyLine(4, 'username', username), keyLine(4, 'password-file', passwordFile)];
}

function postgresText(postgres: PatroniSettings['postgres']): readonly string[] {
  if (postgres === undefined || !isHost(postgres.host)) {
    const about = 'patroni.yml does not say where PostgreSQL listens. If it is not localhost:5432, write it:';
    return [...comment(about, 2), ...comment('postgres: localhost:5432', 2)];
  }
  return [
    ...comment('postgresql.listen, or else postgresql.connect_address.', 2),
    keyLine(2, 'postgres', authority(postgres.host, postgres.port)),
  ];
}

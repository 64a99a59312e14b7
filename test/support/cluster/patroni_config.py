"""What Patroni itself reads from a configuration file and its environment.

Reads a JSON list of objects (yaml, environment) from standard input, and writes a list. For each object it has what
`Config` of patroni/config.py makes of both, the name of the leader key in the DCS, and the hosts of etcd, or the text of the
error. Nothing is connected to: the client of etcd has no network here.
"""
import json
import logging
import os
import sys
import tempfile

from patroni import config as patroni_config
from patroni import dcs as patroni_dcs
from patroni.dcs import etcd as patroni_etcd

logging.disable(logging.CRITICAL)


class Dcs(patroni_dcs.AbstractDCS):
    """A DCS of which only the names of its keys are asked."""


class Client(patroni_etcd.AbstractEtcdClientWithFailover):
    """A client of etcd that only says where it would connect."""

    def __init__(self, config, _resolver):
        self._config = config
        self._protocol = config.get('protocol', 'http')

    def _get_machines_cache_from_dns(self, host, port):
        return [patroni_etcd.uri(self.protocol, (host, port))]

    @property
    def machines(self):
        return self._get_machines_cache_from_config()


Dcs.__abstractmethods__ = frozenset()
Client.__abstractmethods__ = frozenset()


def leader_key(config, name):
    section = dict(config[name])
    section.update({key: config[key] for key in ('namespace', 'name', 'scope', 'citus') if key in config})
    try:
        from patroni.postgresql.mpp import get_mpp
    except ImportError:  # before 4.0
        section.update(citus_group=str(config['citus']['group']) if 'citus' in config else None)
        dcs = Dcs(section)
        if 'citus' in config:
            dcs._citus_group = str(config['citus']['group'])
    else:
        dcs = Dcs(section, get_mpp(config))
    return dcs.leader_path


def answer(text, environment):
    for name in [name for name in os.environ if name.startswith('PATRONI_')]:
        del os.environ[name]
    os.environ.update(environment)
    with tempfile.NamedTemporaryFile('w', suffix='.yml', encoding='utf-8') as file:
        file.write(text)
        file.flush()
        config = patroni_config.Config(file.name, None)
    effective = config.copy()
    known = ('consul', 'etcd', 'etcd3', 'exhibitor', 'kubernetes', 'raft', 'zookeeper')
    name = next((name for name in known if name in effective), None)
    result = {key: effective.get(key) for key in ('name', 'scope', 'restapi', 'ctl')}
    result.update(local=config._local_configuration, dcs=name)
    if name:
        result['leader'] = leader_key(effective, name)
    if name == 'etcd3':
        client = patroni_etcd.AbstractEtcd.get_etcd_client(None, effective[name], Client)
        result['hosts'] = client.machines
    return result


def main():
    answers = []
    for asked in json.load(sys.stdin):
        try:
            answers.append(answer(asked['yaml'], asked['environment']))
        except Exception as error:  # the caller expects that error too
            answers.append({'error': repr(error)})
    json.dump(answers, sys.stdout, default=str)


main()

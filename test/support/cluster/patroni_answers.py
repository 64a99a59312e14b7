"""Whether Patroni's own code answers a request as its canonical route, in every state of a node that could tell them apart.

Reads a JSON list of pairs, target and route, from standard input and writes a list: null for a pair that is answered
alike, or a state, as text, in which it is not. Nothing runs here but the handler of patroni/api.py, with the node's state
put in its place: the request line is read by Patroni's `parse_request`, and answered by its `do_GET`.
"""
import io
import json
import sys
from types import SimpleNamespace

from patroni import api
from patroni.utils import parse_int

MB = 1024 * 1024
LEADER_LSN = 2 ** 61

# These routes read a lag and ignore it, but Patroni fails at a lag that is out of range.
LAGLESS = ('/primary', '/leader', '/standby-leader', '/health')

ROLES = (
    # name, leader, standby cluster, role, PostgreSQL's state, synchronous, quorum
    ('primary', True, False, 'primary', 'running', False, False),
    ('replica', False, False, 'replica', 'running', False, False),
    ('sync', False, False, 'replica', 'running', True, False),
    ('quorum', False, False, 'replica', 'running', False, True),
    ('standby leader', True, True, 'standby_leader', 'running', False, False),
    ('stopped', False, False, 'replica', 'stopped', False, False),
)


class Handler(api.RestApiHandler):
    """The handler without its socket."""

    def __init__(self, target):
        self.raw_requestline = b'GET ' + target.encode('latin-1') + b' HTTP/1.0\r\n'
        self.rfile = io.BytesIO(b'\r\n')
        self.wfile = io.BytesIO()
        self.client_address = ('127.0.0.1', 0)
        self.state = None
        self.status = None
        assert self.parse_request(), target

    def answer(self, state):
        self.state = state
        self.server = SimpleNamespace(patroni=patroni_in(state))
        if hasattr(api, 'global_config'):
            api.global_config = global_config_in(state)
        if self.command not in ('GET', 'GET_liveness', 'GET_readiness'):
            return self.command  # a route whose handler never looks at the query
        try:
            getattr(self, 'do_' + self.command)()
        except (OverflowError, ValueError):  # by a lag of 1e999: Patroni closes the connection, and has answered nothing
            return None
        return self.status

    def get_postgresql_status(self, retry=False):
        state = self.state
        return {
            'role': state['role'],
            'state': state['PostgreSQL'],
            'sync_standby': state['sync'],
            'quorum_standby': state['quorum'],
            'replication_state': state['replication_state'],
            'latest_end_lsn': 0,
            'xlog': {
                'replayed_location': LEADER_LSN - state['replay lag'],
                'received_location': LEADER_LSN - state['write lag'],
            },
        }

    def _write_status_code_only(self, status_code):
        self.status = status_code

    def _write_status_response(self, status_code, response):
        self.status = status_code

    def log_message(self, *args):
        pass


def patroni_in(state):
    return SimpleNamespace(
        noloadbalance=False,
        tags=state['tags'],
        next_run=2 ** 40,
        dcs=SimpleNamespace(
            ttl=30, cluster=SimpleNamespace(last_lsn=LEADER_LSN, status=SimpleNamespace(last_lsn=LEADER_LSN))
        ),
        ha=SimpleNamespace(
            is_leader=lambda: state['leader'],
            is_standby_cluster=lambda: state['standby cluster'],
            is_paused=lambda: False,
        ),
        postgresql=SimpleNamespace(state=state['PostgreSQL'], role=state['role'], is_running=lambda: True),
    )


def global_config_in(state):
    config = SimpleNamespace(is_standby_cluster=state['standby cluster'], maximum_lag_on_failover=MB)
    config.from_cluster = lambda cluster: config
    return config


def telling_states(queries):
    """Those in which what one of the queries says makes a difference: around its lag, with and without its tags."""
    lags = {0, MB, 2 ** 60}
    tags = [{}]
    replication_states = {'streaming', 'in archive recovery'}
    for query in queries:
        try:
            lag = parse_int(query.get('lag', [None])[0], 'B') or 0
        except (OverflowError, ValueError):
            lag = 0
        lags.update(max(0, min(2 ** 60, lag + delta)) for delta in (-1, 0, 1))
        tags.append({key[len('tag_'):]: value[0] for key, value in query.items() if key.startswith('tag_')})
        replication_states.update(query.get('replication_state', []))
    usual = {'replay lag': 0, 'write lag': 0, 'tags': tags[-1], 'replication_state': 'streaming'}
    variations = [{**usual, 'replay lag': lag} for lag in lags] + [{**usual, 'write lag': lag} for lag in lags]
    variations += [{**usual, 'tags': each} for each in tags]
    variations += [{**usual, 'replication_state': each} for each in replication_states]
    for name, leader, standby, role, postgresql, sync, quorum in ROLES:
        for variation in variations:
            node = {'name': name, 'leader': leader, 'standby cluster': standby, 'role': role}
            yield {**node, 'PostgreSQL': postgresql, 'sync': sync, 'quorum': quorum, **variation}


def difference(target, route):
    handlers = [Handler(target), Handler(route)]
    for state in telling_states([handler.path_query for handler in handlers]):
        answers = [handler.answer(state) for handler in handlers]
        if answers[0] is None and route.split('?')[0] in LAGLESS:
            continue
        if answers[0] != answers[1]:
            return '{0} and {1} as {2}'.format(*answers, state)
    return None


json.dump([difference(*pair) for pair in json.load(sys.stdin)], sys.stdout)

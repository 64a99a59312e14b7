"""Health checks at a steady rate, each on a connection of its own that is reset once the reply is there, as HAProxy does;
by HTTP/1.1, since HAProxy's own cache serves nothing else. Open loop: a check is sent when it is due, whatever became of
those before it.

Reads a load as a line of JSON from standard input, and sends no more when that ends: {"ports": [...], "path": "/primary",
"perSecond": 200, "durationMs": 1000, "timeoutMs": 10000}. Within the time from check to check each port has a moment of its
own. Writes a line for each check: index of the port, when it was due and when it ended (milliseconds of CLOCK_MONOTONIC),
and its status, or 0 for none.
"""
import errno
import gc
import heapq
import json
import select
import socket
import struct
import sys
import time

RESET = struct.pack('ii', 1, 0)
CLOSED = select.EPOLLHUP | select.EPOLLERR


def now_ms():
    return time.monotonic_ns() / 1e6


def has_ended(stream):
    return bool(select.select([stream], [], [], 0)[0])


class Check:
    def __init__(self, index, port, due_ms):
        self.index = index
        self.due_ms = due_ms
        self.received = b''
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.asked = False
        reason = self.socket.connect_ex(('127.0.0.1', port))
        self.failed = reason not in (0, errno.EINPROGRESS)

    def status(self):
        """The status of a reply that is whole; None for one that is not."""
        end = self.received.find(b'\r\n\r\n')
        if end < 0:
            return None
        head = self.received[:end].lower()
        at = head.find(b'\r\ncontent-length:')
        if at < 0:
            return None  # whole when the server has closed
        length = int(head[at + 17:].split(b'\r\n', 1)[0])
        return self.status_line() if len(self.received) >= end + 4 + length else None

    def status_line(self):
        fields = self.received.split(None, 2)
        return int(fields[1]) if len(fields) > 1 and fields[1].isdigit() else 0


def main():
    load = json.loads(sys.stdin.buffer.raw.readline())
    ports, per_second, timeout_ms = load['ports'], load['perSecond'], load['timeoutMs']
    request = ('GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' % load['path']).encode()
    count = round(load['durationMs'] / 1000 * per_second) * len(ports)
    step_ms = 1000 / per_second / len(ports)
    gc.disable()
    poll = select.epoll()
    under_way = {}
    deadlines = []
    lines = []
    started_ms = now_ms() + 50
    sent = 0

    def end(check, status):
        ended_ms = now_ms()
        lines.append('%d %.3f %.3f %d' % (check.index, check.due_ms, ended_ms, status))
        under_way.pop(check.socket.fileno(), None)
        check.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        check.socket.close()
        check.socket = None

    def read(check):
        try:
            if not check.asked:
                check.socket.send(request)
                check.asked = True
                poll.modify(check.socket.fileno(), select.EPOLLIN)
                return
            chunk = check.socket.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            end(check, 0)
            return
        check.received += chunk
        status = check.status() if chunk else check.status_line()
        if status is not None:
            end(check, status)

    while sent < count or under_way:
        now = now_ms()
        if sent < count and sent % 100 == 0 and has_ended(sys.stdin):
            count = sent
        while sent < count and started_ms + sent * step_ms <= now:
            index = sent % len(ports)
            check = Check(index, ports[index], started_ms + sent * step_ms)
            sent += 1
            if check.failed:
                end(check, 0)
                continue
            under_way[check.socket.fileno()] = check
            poll.register(check.socket.fileno(), select.EPOLLOUT | select.EPOLLIN)
            heapq.heappush(deadlines, (check.due_ms + timeout_ms, id(check), check))
        while deadlines and deadlines[0][0] <= now:
            check = heapq.heappop(deadlines)[2]
            if check.socket is not None:
                end(check, 0)
        next_ms = started_ms + sent * step_ms if sent < count else now + 20
        wait_ms = max(0, next_ms - now_ms())
        select.select([poll], [], [], wait_ms / 1000)  # epoll itself waits for whole milliseconds
        for fileno, event in poll.poll(0):
            check = under_way.get(fileno)
            if check is None:
                continue
            if event & CLOSED and not event & select.EPOLLIN:
                end(check, 0)
            else:
                read(check)
    sys.stdout.write('\n'.join(lines) + '\n')


main()

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { systemdWish } from '../../src/systemd/environment.js';

describe('what systemd asks for', () => {
  const socket = '/run/systemd/notify';

  it('is nothing without NOTIFY_SOCKET: a terminal, pm2, a container', () => {
    assert.equal(systemdWish({}, 1), undefined);
    assert.equal(systemdWish({ NOTIFY_SOCKET: '', WATCHDOG_USEC: '30000000' }, 1), undefined);
  });

  it('is to be told, and a sign of life if the unit has WatchdogSec', () => {
    assert.deepEqual(systemdWish({ NOTIFY_SOCKET: socket }, 1), { socket });
    assert.deepEqual(systemdWish({ NOTIFY_SOCKET: socket, WATCHDOG_USEC: '30000000', WATCHDOG_PID: '7' }, 7), {
      socket,
      watchdogMs: 30_000,
    });
  });

  it('is no sign of life of another process, and none by a time that is no number', () => {
    assert.deepEqual(systemdWish({ NOTIFY_SOCKET: socket, WATCHDOG_USEC: '30000000', WATCHDOG_PID: '8' }, 7), {
      socket,
    });
    assert.deepEqual(systemdWish({ NOTIFY_SOCKET: socket, WATCHDOG_USEC: 'soon' }, 7), { socket });
    assert.deepEqual(systemdWish({ NOTIFY_SOCKET: socket, WATCHDOG_USEC: '0' }, 7), { socket });
  });
});

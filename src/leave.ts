const MOMENT_MS = 50;

/**
 * Ends the process. `process.exit` would wait for what libuv's threads are busy with, and a look-up that hangs, or a write
 * to a disk or terminal that does, can take minutes. Where one is not done in a moment, the process is ended in spite of it.
 */
export function leave(exitCode: number): void {
  if (!isHeldUp()) process.exit(exitCode);
  setTimeout(() => {
    if (!isHeldUp()) process.exit(exitCode);
    endAtOnce(exitCode);
  }, MOMENT_MS);
}

function isHeldUp(): boolean {
  return process.getActiveResourcesInfo().some((name) => /GetAddrInfo|FSReq/.test(name));
}

/**
 * By SIGTERM, which systemd and pm2 count as ended as asked, or SIGKILL, which they count as failed. PID 1 of a container is
 * sent neither by itself (pid_namespaces(7)): it becomes a program that ends with the exit code, from Node 22.15 on; by an
 * older Node it is aborted.
 */
function endAtOnce(exitCode: number): void {
  const isPid1 = process.pid === 1;
  if (isPid1) becomeOneThatEnds(exitCode);
  process.removeAllListeners('SIGTERM');
  process.kill(process.pid, exitCode === 0 ? 'SIGTERM' : 'SIGKILL');
  if (isPid1) process.abort();
}

/** Returns where it cannot. */
function becomeOneThatEnds(exitCode: number): void {
  const { execve } = process as { execve?: (file: string, args: readonly string[], env: object) => void };
  try {
    execve?.(process.execPath, [process.execPath, '--eval', `process.exitCode = ${exitCode}`], {});
  } catch {
    // forbidden (seccomp): there is one way left
  }
}

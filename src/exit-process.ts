/** How long to wait for libuv's threads. */
const MOMENT_MS = 50;

/**
 * Ends the process. `process.exit` waits for the work of libuv's threads. If a name server, a disk or a terminal hangs, a
 * look-up or a write can take minutes. If such work is not done after a moment, the process ends anyway.
 */
export function exitProcess(exitCode: number): void {
  if (!areThreadsBusy()) process.exit(exitCode);
  setTimeout(() => {
    if (!areThreadsBusy()) process.exit(exitCode);
    endAtOnce(exitCode);
  }, MOMENT_MS);
}

function areThreadsBusy(): boolean {
  return process.getActiveResourcesInfo().some((name) => /GetAddrInfo|FSReq/.test(name));
}

/**
 * Ends the process by SIGTERM, which systemd and pm2 count as a normal end, or by SIGKILL, which they count as a failure. No
 * signal stands for a code above 1, and PID 1 of a container cannot send itself either signal (pid_namespaces(7)). From Node
 * 22.15 on, the process then replaces itself with a program that ends with the exit code. On an older Node, PID 1 aborts.
 */
function endAtOnce(exitCode: number): void {
  const isPid1 = process.pid === 1;
  if (isPid1 || exitCode > 1) replaceWithExitingProgram(exitCode);
  process.removeAllListeners('SIGTERM');
  process.kill(process.pid, exitCode === 0 ? 'SIGTERM' : 'SIGKILL');
  if (isPid1) process.abort();
}

/** Returns only if it fails. */
function replaceWithExitingProgram(exitCode: number): void {
  const { execve } = process as { execve?: (file: string, args: readonly string[], env: object) => void };
  const [program = '', ...args] = exitingProgram(exitCode, process.execPath, isSingleExecutable());
  try {
    execve?.(program, [program, ...args], {});
  } catch {
    // forbidden (seccomp): the caller aborts
  }
}

/**
 * A command that ends with the exit code: Node itself. A single executable application is Node with patroniglue inside, which
 * would start patroniglue again, so there it is the shell.
 */
export function exitingProgram(exitCode: number, execPath: string, isSingle: boolean): readonly string[] {
  return isSingle ? ['/bin/sh', '-c', `exit ${exitCode}`] : [execPath, '--eval', `process.exitCode = ${exitCode}`];
}

/** Every Node that has `execve` has this module. */
function isSingleExecutable(): boolean {
  const { getBuiltinModule } = process as { getBuiltinModule?: (id: string) => { isSea?: () => boolean } | undefined };
  return getBuiltinModule?.('node:sea')?.isSea?.() ?? false;
}

import { access } from 'node:fs/promises';
import { type UnitNeeds, dropInFile, dropInLines, isInForce } from './credentials.js';
import { PASSWORD_FILE } from './dcs-settings.js';
import { comment, commented } from './yaml-text.js';

/** The drop-in for the unit, as a comment of the configuration. Empty if the service can read all files by itself. */
export function dropInText(needs: UnitNeeds): readonly string[] {
  if (needs.credentials.length === 0) return [];
  return [
    '#',
    ...comment(
      'The service runs as a user of its own (DynamicUser), who cannot read the files below. systemd gives it copies, by ' +
        `this drop-in: ${dropInFile(needs)}`,
    ),
    '#',
    ...commented(dropInLines(needs).map((line) => `  ${line}`)),
    '#',
    ...comment(
      'If patroniglue runs as a user who can read these files, write their own paths in place of /run/credentials/... ' +
        'systemd copies them when the service starts: restart it after a renewal.',
    ),
  ];
}

/**
 * What is left to do before the service can start with the configuration, for a terminal: the commands can be pasted. Empty
 * if nothing is.
 *
 * @param units replaced in tests: the folder of the drop-ins
 * @param password replaced in tests: the file with the password for etcd
 */
export async function stepsLeft(
  needs: UnitNeeds,
  units?: string,
  password = PASSWORD_FILE,
): Promise<readonly string[]> {
  const { unit, credentials } = needs;
  if (credentials.length === 0) return [];
  const isPasswordAbsent =
    credentials.some(({ file }) => file === PASSWORD_FILE) &&
    (await access(password).then(
      () => false,
      (error: unknown) => (error as NodeJS.ErrnoException).code === 'ENOENT',
    ));
  const write = isPasswordAbsent
    ? [`Write etcd's password into ${PASSWORD_FILE}, in one line, for root alone (mode 0600).`]
    : [];
  if (await isInForce(needs, units)) return write;
  const file = dropInFile(needs, units);
  return [
    `To do before ${unit} can start: its own user cannot read all files that the configuration needs.`,
    ...write,
    'Let systemd give it copies. As root:',
    '',
    `mkdir -p ${file.slice(0, file.lastIndexOf('/'))}`,
    `cat > ${file} <<'END'`,
    ...dropInLines(needs),
    'END',
    `systemctl daemon-reload && systemctl restart ${unit}`,
  ];
}

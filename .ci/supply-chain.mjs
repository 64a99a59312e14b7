// What ships beside our own code: no known vulnerability, and no licence that is not permissive. Ends with 1 otherwise.
// `node .ci/supply-chain.mjs [LOCK-FILE]`; the vulnerabilities are those of the installed package-lock.json in any case.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const PERMISSIVE = [
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'CC0-1.0',
  'ISC',
  'MIT',
  'Unlicense',
];

/** npm asks up to three times; a registry that says nothing is no reason to wait for more. */
const AUDIT_WITHIN_MS = 120_000;

const lockFile = process.argv[2] ?? 'package-lock.json';
const problems = [...licenceProblems(), ...vulnerabilities()];
for (const problem of problems) console.error(problem);
process.exitCode = problems.length > 0 ? 1 : 0;

/** By the lock file, which has the licence of every package as the registry told it. */
function licenceProblems() {
  const { packages } = JSON.parse(readFileSync(lockFile, 'utf8'));
  const shipped = Object.entries(packages).filter(([path, { dev }]) => path !== '' && !dev);
  console.log(`licences of ${shipped.length} packages looked at`);
  return shipped
    .filter(
      ([, { license = 'none' }]) =>
        !license
          .replace(/[()]/g, '')
          .split(' OR ')
          .some((one) => PERMISSIVE.includes(one)),
    )
    .map(([path, { license = 'none' }]) => `${path}: the licence ${license} is not known to be permissive`);
}

/** By the registry, where it can be asked; one that has no such service says nothing of the packages. */
function vulnerabilities() {
  const report = audit();
  if (report.vulnerabilities === undefined) {
    console.log(
      `vulnerabilities not looked up: ${report.message ?? report.error?.summary ?? 'the registry does not say'}`,
    );
    return [];
  }
  const found = Object.values(report.vulnerabilities);
  console.log(`vulnerabilities looked up: ${found.length} found`);
  return found.map(
    ({ name, severity, range }) => `${name} ${range}: a vulnerability, ${severity} (npm audit --omit=dev)`,
  );
}

function audit() {
  let output;
  try {
    output = execFileSync('npm', ['audit', '--omit=dev', '--json'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: AUDIT_WITHIN_MS,
    });
  } catch (error) {
    output = String(error.stdout ?? ''); // npm ends with 1 where it found some, and where it could not ask
  }
  try {
    return JSON.parse(output);
  } catch {
    return {};
  }
}

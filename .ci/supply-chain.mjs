// Checks the packages that ship with our code. Ends with 1 if one has a known vulnerability or a licence that is not permissive.
// `node .ci/supply-chain.mjs [LOCK-FILE]`. LOCK-FILE is only for the licences: npm looks up the packages of package-lock.json.
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

/** npm asks up to three times. If the registry does not answer in this time, the check goes on without it. */
const AUDIT_TIMEOUT_MS = 120_000;

const lockFile = process.argv[2] ?? 'package-lock.json';
const problems = [...licenceProblems(), ...vulnerabilityProblems()];
for (const problem of problems) console.error(problem);
process.exitCode = problems.length > 0 ? 1 : 0;

/** Reads the licences from the lock file, which has them from the registry. */
function licenceProblems() {
  const { packages } = JSON.parse(readFileSync(lockFile, 'utf8'));
  const shipped = Object.entries(packages).filter(([path, { dev }]) => path !== '' && !dev);
  console.log(`checked the licences of ${shipped.length} packages`);
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

/** Asks the registry. Reports nothing if there is no answer, or if the registry does not offer this service. */
function vulnerabilityProblems() {
  const report = audit();
  if (report.vulnerabilities === undefined) {
    console.log(`could not check for vulnerabilities: ${report.message ?? report.error?.summary ?? 'no reason given'}`);
    return [];
  }
  const found = Object.values(report.vulnerabilities);
  console.log(`checked for vulnerabilities: found ${found.length}`);
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
      timeout: AUDIT_TIMEOUT_MS,
    });
  } catch (error) {
    output = String(error.stdout ?? ''); // npm ends with 1 if it found vulnerabilities, and also if it could not ask
  }
  try {
    return JSON.parse(output);
  } catch {
    return {};
  }
}

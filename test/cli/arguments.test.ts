import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { type Invocation, parseArguments } from '../../src/cli/arguments.js';
import { defaultConfig } from '../../src/config/default-file.js';
import { UsageError } from '../../src/errors.js';
import { manualPage, usage } from '../../src/cli/usage.js';

const config = '/home/postgres/.patroniglue.yml';
const parse = (line: string): Invocation => parseArguments(line === '' ? [] : line.split(' '), () => config);

describe('the configuration file where none is named', () => {
  const stat =
    (code: string, ...files: readonly string[]) =>
    (file: string): void => {
      if (!files.includes(file)) throw Object.assign(new Error(code), { code });
    };
  const system = '/etc/patroniglue/config.yml';
  const nobody = (): string => {
    throw Object.assign(new Error('A system error occurred: uv_os_homedir returned ENOENT'), {
      code: 'ERR_SYSTEM_ERROR',
    });
  };

  it("is that of the system, else the user's", () => {
    const home = (): string => '/home/postgres';
    assert.equal(defaultConfig({ home, stat: stat('ENOENT', system, config) }), system);
    assert.equal(defaultConfig({ home, stat: stat('ENOENT', config) }), config);
    assert.equal(defaultConfig({ home, stat: stat('ENOTDIR', config) }), config);
  });

  it('is that of the system where it may not be read: reading it tells why', () => {
    assert.equal(defaultConfig({ home: () => '/home/postgres', stat: stat('EACCES', config) }), system);
  });

  it('is not looked for below a home that a user does not have', () => {
    for (const home of [nobody, () => '']) {
      assert.equal(defaultConfig({ home, stat: stat('ENOENT', system) }), system);
      const message = `no configuration: there is no ${system}; use --config FILE`;
      assert.throws(() => defaultConfig({ home, stat: stat('ENOENT') }), new UsageError(message));
    }
  });

  it('is told where neither is there', () => {
    const message = `no configuration: neither ${system} nor ${config} exists; use --config FILE`;
    assert.throws(() => defaultConfig({ home: () => '/home/postgres', stat: stat('ENOENT') }), new UsageError(message));
  });

  it('is not looked for to tell version or usage, nor where one is named', () => {
    for (const line of ['--version', '--help', '--config x.yml', '--check --config x.yml']) {
      assert.doesNotThrow(() => parseArguments(line.split(' '), nobody), line);
    }
  });
});

describe('the command line', () => {
  const good: readonly [string, Invocation][] = [
    ['', { kind: 'run', config, level: 'info' }],
    ['--config c.yml', { kind: 'run', config: 'c.yml', level: 'info' }],
    ['--config=c.yml --verbose', { kind: 'run', config: 'c.yml', level: 'verbose' }],
    ['-config c.yml -verbose', { kind: 'run', config: 'c.yml', level: 'verbose' }],
    ['-config=a=b.yml', { kind: 'run', config: 'a=b.yml', level: 'info' }],
    ['--config=-c.yml', { kind: 'run', config: '-c.yml', level: 'info' }],
    ['-debug', { kind: 'run', config, level: 'debug' }],
    ['-quiet -quiet', { kind: 'run', config, level: 'error' }],
    ['--check --config c.yml', { kind: 'check', config: 'c.yml', live: false }],
    ['--check --quiet', { kind: 'check', config, live: false }],
    ['--check --live', { kind: 'check', config, live: true }],
    ['--notify --config c.yml', { kind: 'notify', config: 'c.yml' }],
    ['--notify on_role_change primary demo', { kind: 'notify', config }],
    ['--doctor', { kind: 'doctor', config, json: false }],
    ['--doctor --json --config c.yml', { kind: 'doctor', config: 'c.yml', json: true }],
    ['--doctor --haproxy h.cfg', { kind: 'doctor', config, json: false, haproxy: 'h.cfg' }],
    ['--init patroni.yml', { kind: 'init', patroni: 'patroni.yml' }],
    ['--init=-p.yml --haproxy h.cfg', { kind: 'init', patroni: '-p.yml', haproxy: 'h.cfg' }],
    ['--init p.yml --output c.yml', { kind: 'init', patroni: 'p.yml', output: 'c.yml' }],
    ['--init patroni.yml --help', { kind: 'help' }],
    ['--version', { kind: 'version' }],
    ['-version --check', { kind: 'version' }],
    ['-help --version', { kind: 'help' }],
    ['-h', { kind: 'help' }],
    ['--', { kind: 'run', config, level: 'info' }],
  ];
  for (const [line, expected] of good) {
    it(`takes ${JSON.stringify(line)}`, () => {
      assert.deepEqual(parse(line), expected);
    });
  }

  const bad: readonly [string, string][] = [
    ['--verbos', 'unknown option "--verbos": did you mean --verbose?'],
    ['--conf=x.yml', 'unknown option "--conf": did you mean --config?'],
    ['--cofnig x.yml', 'unknown option "--cofnig": did you mean --config?'],
    ['-check', 'unknown option "-check": did you mean --check?'],
    ['-c x.yml', 'unknown option "-c"'],
    ['-v', 'unknown option "-v"'],
    ['--no-verbose', 'unknown option "--no-verbose"'],
    ['--config', '--config needs the name of a file'],
    ['--config=', '--config needs the name of a file'],
    ['-config -debug', '--config needs the name of a file'],
    ['--verbose=true', '--verbose takes no value'],
    ['--verbose --debug', '--verbose and --debug exclude each other'],
    ['-quiet -debug -verbose', '--verbose and --debug and --quiet exclude each other'],
    ['--notify --check', '--notify and --check exclude each other'],
    ['--init', '--init needs the name of a file'],
    ['--init p.yml --haproxy', '--haproxy needs the name of a file'],
    ['--init p.yml --output', '--output needs the name of a file'],
    ['--output c.yml', '--output needs --init'],
    ['--doctor --output c.yml', '--output needs --init'],
    ['-config a.yml --config=b.yml', '--config is there twice: write it once'],
    ['--init p.yml --init q.yml', '--init is there twice: write it once'],
    ['--haproxy h.cfg', '--haproxy needs --init or --doctor'],
    ['--json', '--json needs --doctor'],
    ['--check --json', '--json needs --doctor'],
    ['--doctor --haproxy', '--haproxy needs the name of a file'],
    ['--doctor --check', '--doctor and --check exclude each other'],
    ['--doctor --live', '--doctor and --live exclude each other'],
    ['--doctor --notify', '--doctor and --notify exclude each other'],
    ['--doctor --debug', '--doctor and --debug exclude each other'],
    ['--doctor --init p.yml', '--init and --doctor exclude each other'],
    ['--json --init p.yml', '--init and --json exclude each other'],
    ['--init p.yml --check', '--init and --check exclude each other'],
    ['--init p.yml --live', '--init and --live exclude each other'],
    ['--init p.yml --notify', '--init and --notify exclude each other'],
    ['--init p.yml --config c.yml', '--init and --config exclude each other'],
    ['config.yml', 'unexpected argument "config.yml"'],
    ['-- --debug', 'unexpected argument "--debug"'],
    ['-', 'unexpected argument "-"'],
    ['--toString', 'unknown option "--toString"'],
  ];
  for (const [line, message] of bad) {
    it(`refuses ${JSON.stringify(line)}`, () => {
      assert.throws(() => parse(line), new UsageError(`${message}\nTry: patroniglue --help`));
    });
  }

  it('explains every option and exit code in lines of a terminal', () => {
    const page = manualPage('1.0.0').replaceAll('\\-', '-');
    for (const word of [
      'config',
      'check',
      'live',
      'doctor',
      'json',
      'init',
      'haproxy',
      'output',
      'verbose',
      'debug',
      'quiet',
      'version',
      'help',
    ]) {
      assert.match(usage, new RegExp(`^  --${word}\\b`, 'm'));
      assert.match(page, new RegExp(`^\\.B --${word}\\b`, 'm'), 'the manual page has it, too');
    }
    assert.match(usage, /^ {2}0 .*\n {2}1 .*\n {2}2 .*\nWith --doctor.*3 UNKNOWN\.\n$/m);
    assert.ok(usage.split('\n').every((line) => line.length <= 80));
  });
});

import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { analyse, type Findings, type Recording } from '../tools/safety/analysis.js';
import { KINDS } from '../tools/safety/event.js';
import { record } from '../tools/safety/record.js';
import { brokenRules, limitsOf } from '../tools/safety/rules.js';
import { skipReason } from '../support/processes/programs.js';

/** Few events, for each run of the suite; `build/bench/cluster-safety.js` has many. */
const plan = { switchovers: 3, kills: 1, freezes: 1 };

/** A busy machine delays polls, and replies; what is measured to the millisecond is in bench/. */
const SLACK_MS = 500;

describe('the primary of a Patroni cluster, asked for through patroniglue', { skip: await skipReason() }, () => {
  let recording: Recording;
  let findings: Findings;

  before(async () => {
    recording = await record({ ...plan, cache: { ttl: 4, interval: 1 }, everyMs: 10 });
    findings = analyse(recording);
  });

  it('is asked for while primaries are switched, killed and frozen', () => {
    const kinds = KINDS.map((kind) => recording.events.filter((event) => event.kind === kind).length);
    assert.deepEqual(kinds, [plan.switchovers, plan.kills, 0, plan.freezes]);
    for (const to of ['yes', 'no']) {
      assert.ok(
        findings.changes.some((change) => change.to === to && change.seen),
        `Patroni changed to '${to}', and patroniglue with it`,
      );
    }
    for (const { event, none } of findings.events) {
      assert.ok(none.patroni < 60_000 && none.patroniglue < 60_000, `${event.kind}: there is a primary again`);
    }
  });

  it('is never one that Patroni has not called so within the time to live, nor beside another while its Patroni is silent', () => {
    assert.deepEqual(brokenRules(findings, limitsOf(recording, SLACK_MS)), []);
  });
});

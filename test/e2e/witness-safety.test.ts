import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { before, describe, it } from 'node:test';
import { type Findings, type Recording, analyse } from '../tools/safety/analysis.js';
import { record } from '../tools/safety/record.js';
import { brokenRules, limitsOf } from '../tools/safety/rules.js';
import { skipReason } from '../support/processes/programs.js';

/** Few events, for each run of the suite; `build/bench/cluster-safety.js --witness` has many. */
const plan = { switchovers: 0, kills: 2, freezes: 1 };

/** A busy machine delays polls, and replies. */
const SLACK_MS = 500;

const source = process.env['PATRONI_SOURCE'] ?? '';

describe('the primary of a Patroni cluster, while each patroniglue has a witness', { skip: await skipReason() }, () => {
  let recording: Recording;
  let findings: Findings;

  before(async () => {
    const patroniSource = source === '' ? undefined : resolve(source);
    const cache = { ttl: 4, interval: 1 };
    recording = await record({ ...plan, cache, witness: true, patroniSource, everyMs: 20 });
    findings = analyse(recording);
  });

  it('is out for load balancers seconds before the next primary, after a freeze and after a kill', (t) => {
    assert.equal(findings.events.length, plan.switchovers + plan.kills + plan.freezes);
    for (const { event, silence, two } of findings.events) {
      const said = (ms = NaN): string => `${(ms / 1000).toFixed(1)} s`;
      t.diagnostic(
        `${event.kind}: 503 after ${said(silence?.until503Ms)}, ${said(silence?.marginMs)} before the next primary; ` +
          `two 200s for ${said(two.patroniglue)} in all, of Patroni itself for ${said(two.patroni)}`,
      );
    }
    assert.deepEqual(brokenRules(findings, limitsOf(recording, SLACK_MS)), []);
  });
});

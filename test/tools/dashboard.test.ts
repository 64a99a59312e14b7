import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { dashboardFile } from '../../scripts/generate/dashboard.js';

interface Position {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly description: string;
  readonly gridPos: Position;
  readonly targets: readonly { readonly refId: string; readonly expr: string }[];
  readonly fieldConfig: { readonly defaults: { readonly links?: readonly { readonly url: string }[] } };
}

describe('the dashboard for Grafana', () => {
  const { panels } = JSON.parse(dashboardFile()) as { readonly panels: readonly Panel[] };
  const titled = (title: string): Panel => {
    const panel = panels.find((each) => each.title.startsWith(title));
    assert.ok(panel, title);
    return panel;
  };

  it('has panels with a title, a description, and an id of their own', () => {
    assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
    assert.equal(new Set(panels.map(({ title }) => title)).size, panels.length);
    for (const { title, description } of panels) assert.match(description, /[.?]$/, title);
  });

  it('has no panel over another one, and none that leaves the 24 columns', () => {
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, cell) => `${x + (cell % w)},${y + Math.floor(cell / w)}`),
    );
    assert.equal(new Set(cells).size, cells.length);
    for (const { gridPos } of panels) assert.ok(gridPos.x + gridPos.w <= 24);
  });

  it('begins with a row of figures', () => {
    const first = panels.filter(({ gridPos }) => gridPos.y === 0);
    assert.equal(first.length, 8);
    assert.equal(
      first.reduce((width, { gridPos }) => width + gridPos.w, 0),
      24,
    );
  });

  it('asks only for the clusters and nodes that are chosen', () => {
    const metrics = panels.flatMap(({ targets }) =>
      targets.flatMap(({ expr }) => expr.match(/(?:patroniglue|process)_\w+.{0,50}/g) ?? []),
    );
    assert.ok(metrics.length > 30);
    for (const metric of metrics) assert.match(metric, /^\w+\{cluster=~"\$cluster",instance=~"\$instance"[,}]/);
  });

  it('leads from a node to its status page and its runbook', () => {
    assert.deepEqual(
      titled('Replies to checks of /primary').fieldConfig.defaults.links?.map(({ url }) => url),
      ['/-/status', '/-/runbook'].map((path) => `\${scheme}://\${__field.labels.instance}${path}`),
    );
    assert.equal(titled('Primaries of each cluster').fieldConfig.defaults.links, undefined);
  });
});

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { dashboardFile } from '../../scripts/generate/dashboard.js';

/**
 * Grafana's own types of a dashboard, of the three kinds of panels and of what they show, without Grafana's gaps: a panel of a
 * kind has the options of this kind and no others. What the package does not have is written here: a query and an annotation of
 * Prometheus (`dataquery.ts` and `annotations.ts` in Grafana's `packages/grafana-prometheus/src`), and a link of a field.
 * Options have defaults, so each may be left out.
 */
const SCHEMA = `
import type * as g from '@grafana/schema';
import type * as stat from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type * as timeline from '@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen';
import type * as graph from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';

/** As JSON has it: the value of an enum in place of its name. */
type Json<T> = T extends string ? \`\${T}\` : T extends object ? { [K in keyof T]: Json<T[K]> } : T;

interface Query {
  refId: string;
  datasource: g.DataSourceRef;
  expr: string;
  legendFormat?: string;
  instant?: boolean;
  range?: boolean;
  interval?: string;
}
interface Link {
  title: string;
  url: string;
  targetBlank?: boolean;
}
interface Annotation extends Omit<g.AnnotationQuery, 'target'> {
  target: Query;
  titleFormat?: string;
  textFormat?: string;
  tagKeys?: string;
}
interface PanelOf<Type extends string, Options, Custom> extends Omit<g.Panel, 'type' | 'options' | 'targets' | 'fieldConfig'> {
  type: Type;
  title: string;
  options: Partial<Options>;
  targets: Query[];
  fieldConfig: {
    defaults: Omit<g.FieldConfig, 'custom' | 'links'> & { custom?: Custom; links?: Link[] };
    overrides: g.FieldConfigSource['overrides'];
  };
}
type Panel =
  | PanelOf<'stat', stat.Options, never>
  | PanelOf<'state-timeline', timeline.Options, timeline.FieldConfig>
  | PanelOf<'timeseries', graph.Options, graph.FieldConfig>;
interface Dashboard extends Omit<g.Dashboard, 'annotations' | 'panels'> {
  annotations: { list: Annotation[] };
  panels: Panel[];
}
export const dashboard: Json<Dashboard> = `;

/** The files of the compiler and of the packages are parsed once. */
const parsed = new Map<string, ts.SourceFile | undefined>();
const root = fileURLToPath(new URL('../../../', import.meta.url));

/** What the compiler says against it. */
function complaintsOf(dashboard: string): readonly string[] {
  const file = join(root, 'dashboard-in-memory.ts');
  const text = `${SCHEMA}${dashboard};\n`;
  const options: ts.CompilerOptions = {
    ...{ module: ts.ModuleKind.NodeNext, target: ts.ScriptTarget.ES2022, types: [] },
    ...{ strict: true, skipLibCheck: true, noEmit: true },
  };
  const disk = ts.createCompilerHost(options);
  const host: ts.CompilerHost = {
    ...disk,
    fileExists: (name) => name === file || disk.fileExists(name),
    getSourceFile(name, languageVersion) {
      if (name === file) return ts.createSourceFile(name, text, languageVersion);
      if (!parsed.has(name)) parsed.set(name, disk.getSourceFile(name, languageVersion));
      return parsed.get(name);
    },
  };
  const program = ts.createProgram([file], options, host);
  return ts
    .getPreEmitDiagnostics(program)
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' ').replaceAll(/\s+/g, ' '));
}

describe('the dashboard, against the schema of Grafana', () => {
  const dashboard = dashboardFile();

  it('is a dashboard', () => {
    assert.deepEqual(complaintsOf(dashboard), []);
  });

  for (const [what, right, wrong, complaint] of [
    ['an option that this kind of panel does not have', '"graphMode":"none"', '"graphNode":"none"', /"graphNode"/],
    ['an option of another kind of panel', '"mergeValues":true', '"textMode":"value"', /textMode/],
    ['a value that an option does not take', '"colorMode":"background_solid"', '"colorMode":"solid"', /"solid"/],
    ['a key of a query', '"legendFormat"', '"legend"', /"legend"/],
    ['a kind of mapping', '"type":"range"', '"type":"ranges"', /"ranges"/],
    ['a variable that is refreshed at no moment', '"refresh":2', '"refresh":9', /9/],
  ] as const) {
    it(`refuses ${what}`, () => {
      assert.ok(dashboard.includes(right), right);
      const [first = ''] = complaintsOf(dashboard.replace(right, wrong));
      assert.match(first, complaint);
    });
  }
});

import { createRequire } from 'node:module';
import type { Picture } from './figure.js';

/** What is used of Apache ECharts. Its own types need those of a browser's document. */
interface ECharts {
  readonly init: (
    element: null,
    theme: null,
    options: { renderer: 'svg'; ssr: true; width: number; height: number },
  ) => { setOption(option: object): void; renderToSVGString(): string; dispose(): void };
}

const { init } = createRequire(import.meta.url)('echarts') as ECharts;

/** Colours that can be told apart by the colour-blind (Okabe and Ito); the first is patroniglue's. */
export const COLOURS = ['#0072b2', '#e69f00', '#d55e00', '#009e73', '#cc79a7', '#56b4e9', '#999999'];

/** A chart (https://echarts.apache.org/en/option.html) as SVG, on white, so that it can be read on a dark page too. */
export function draw(name: string, size: { readonly width: number; readonly height: number }, option: object): Picture {
  const chart = init(null, null, { renderer: 'svg', ssr: true, ...size });
  try {
    chart.setOption({ animation: false, backgroundColor: '#fff', color: COLOURS, ...option });
    return { name, svg: `${chart.renderToSVGString()}\n` };
  } finally {
    chart.dispose();
  }
}

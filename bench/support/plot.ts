import { createRequire } from 'node:module';
import type { Picture } from './figure.js';

/** The part of Apache ECharts that the bench uses. ECharts' own types need the types of a browser's document. */
interface ECharts {
  readonly init: (
    element: null,
    theme: null,
    options: { renderer: 'svg'; ssr: true; width: number; height: number },
  ) => { setOption(option: object): void; renderToSVGString(): string; dispose(): void };
}

const { init } = createRequire(import.meta.url)('echarts') as ECharts;

/** Colours that colour-blind people can distinguish (Okabe and Ito). patroniglue has the first. */
export const COLOURS = ['#0072b2', '#e69f00', '#d55e00', '#009e73', '#cc79a7', '#56b4e9', '#999999'];

/** A chart (https://echarts.apache.org/en/option.html) as SVG, on white, so that it is readable on a dark page, too. */
export function draw(name: string, size: { readonly width: number; readonly height: number }, option: object): Picture {
  const chart = init(null, null, { renderer: 'svg', ssr: true, ...size });
  try {
    chart.setOption({ animation: false, backgroundColor: '#fff', color: COLOURS, ...option });
    return { name, svg: `${chart.renderToSVGString()}\n` };
  } finally {
    chart.dispose();
  }
}

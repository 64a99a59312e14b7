/** One line of a page of metrics. */
export interface Series {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** The series in a page of metrics: Prometheus' text format. Other lines are left out. */
export function seriesIn(page: string): readonly Series[] {
  return page.split('\n').flatMap((line) => {
    const [, name, labels = '', value] = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    if (name === undefined) return [];
    const pairs = Array.from(labels.matchAll(/([a-z_]+)="((?:[^"\\]|\\.)*)"/g), ([, key = '', text = '']) => [
      key,
      text.replace(/\\(.)/g, (_, character: string) => (character === 'n' ? '\n' : character)),
    ]);
    return [{ name, labels: Object.fromEntries(pairs) as Record<string, string>, value: Number(value) }];
  });
}

/** The value of the first series of that name. */
export function valueIn(series: readonly Series[], name: string): number | undefined {
  return series.find((one) => one.name === name)?.value;
}

/** The sums of the series of that name, by their label `route`. */
export function countsByRoute(series: readonly Series[], name: string): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const one of series) {
    const { route } = one.labels;
    if (one.name === name && route !== undefined) counts.set(route, (counts.get(route) ?? 0) + one.value);
  }
  return counts;
}

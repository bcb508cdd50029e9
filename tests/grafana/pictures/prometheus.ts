// What Grafana's data source does: variables into expressions, answers into data frames.
import { DataFrame, dateTime, FieldType, toDataFrame } from '@grafana/data';

export const args = new URLSearchParams(location.search); // range (seconds), rate, var-NAME
const span = Number(args.get('range') ?? 300);
const now = Math.floor(Date.now() / 1000);
const points = (panel: any) => panel.maxDataPoints ?? 240;
export const range = {
  from: dateTime((now - span) * 1000), to: dateTime(now * 1000), raw: { from: `now-${span}s`, to: 'now' },
};

export function filled(text: string, labels: Record<string, string> = {}): string {
  return text.replace(/\$(?:\{(\w+)[^}]*\}|(\w+))/g, (_, long, short) => {
    const name = long ?? short;
    if (name === '__rate_interval') return args.get('rate') ?? '20s';
    if (name === '__range') return `${span}s`;
    return labels[name] ?? args.get(`var-${name}`) ?? '';
  });
}

async function get(path: string, query: Record<string, string | number>) {
  const search = new URLSearchParams(Object.entries(query).map(([k, v]) => [k, String(v)]));
  const answer = await (await fetch(`/api/v1/${path}?${search}`)).json();
  if (answer.status !== 'success') throw new Error(answer.error);
  return answer.data.result as Array<{ metric: Record<string, string>; value: any; values: any }>;
}

export async function frames(target: any, panel: any): Promise<DataFrame[]> {
  const expr = filled(target.expr);
  if (target.format === 'table') {
    const rows = await get('query', { query: expr, time: now });
    const labels = [...new Set(rows.flatMap((row) => Object.keys(row.metric)))].sort();
    const value = panel.targets.length > 1 ? `Value #${target.refId}` : 'Value';
    return [toDataFrame({ refId: target.refId, fields: [
      { name: 'Time', type: FieldType.time, values: rows.map(() => now * 1000) },
      ...labels.map((l) => ({ name: l, type: FieldType.string, values: rows.map((row) => row.metric[l] ?? '') })),
      { name: value, type: FieldType.number, values: rows.map((row) => Number(row.value[1])) },
    ] })];
  }
  const step = Math.max(1, Math.ceil(span / points(panel)));
  const series = await get('query_range', { query: expr, start: now - span, end: now, step });
  return series.map(({ metric, values }) => {
    const name = (target.legendFormat ?? '').replace(/\{\{\s*(\w+)\s*\}\}/g, (_: string, l: string) => metric[l] ?? '');
    return toDataFrame({ refId: target.refId, name, fields: [
      { name: 'Time', type: FieldType.time, values: values.map((v: any) => v[0] * 1000), config: { interval: step * 1000 } },
      { name: 'Value', type: FieldType.number, labels: metric, values: values.map((v: any) => Number(v[1])),
        config: { displayNameFromDS: name || undefined } },
    ] });
  });
}

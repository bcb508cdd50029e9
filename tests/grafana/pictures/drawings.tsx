// Bar charts, status histories and heatmaps: Grafana does not publish these as components, so they
// are drawn here, with Grafana's units, colors, names and transformations. Their look is not Grafana's.
import React from 'react';
import { DataFrame, FieldType, getFieldDisplayName, GrafanaTheme2 } from '@grafana/data';

type Size = { width: number; height: number; frames: DataFrame[]; theme: GrafanaTheme2 };
const text = (theme: GrafanaTheme2) => ({ fontSize: 10, fill: theme.colors.text.secondary, fontFamily: 'Inter, sans-serif' });
const cut = (name: string, most: number) => (name.length > most ? `${name.slice(0, most - 1)}…` : name);
const clock = (ms: number) => new Date(ms).toISOString().slice(11, 16);

export function Bars({ width, height, frames, theme, axis }: Size & { axis: string }) {
  const [frame] = frames;
  const names = frame.fields.find((f) => f.name === axis)!;
  const numbers = frame.fields.filter((f) => f.type === FieldType.number);
  const most = Math.max(...numbers.flatMap((f) => f.values)) || 1;
  const [left, top, bottom] = [44, 6, 86];
  const [inner, tall] = [width - left - 6, height - top - bottom];
  const group = inner / names.values.length;
  const bar = (group * 0.8) / numbers.length;
  const style = text(theme);
  return <svg width={width} height={height}>
    {[0, 0.5, 1].map((part) => <g key={part}>
      <line x1={left} x2={width - 6} y1={top + tall * (1 - part)} y2={top + tall * (1 - part)} stroke={theme.colors.border.weak} />
      <text {...style} x={left - 4} y={top + tall * (1 - part) + 3} textAnchor="end">{numbers[0].display!(most * part).text}{numbers[0].display!(most * part).suffix}</text>
    </g>)}
    {names.values.map((name, i) => <g key={i}>
      {numbers.map((f, k) => <rect key={k} x={left + i * group + group * 0.1 + k * bar} width={bar * 0.92}
        y={top + tall * (1 - f.values[i] / most)} height={(tall * f.values[i]) / most || 0} fill={f.display!(f.values[i]).color} fillOpacity={0.85} />)}
      <text {...style} transform={`translate(${left + (i + 0.5) * group},${height - bottom + 12}) rotate(-45)`} textAnchor="end">{cut(String(name), 18)}</text>
    </g>)}
    {numbers.map((f, k) => <g key={k} transform={`translate(${left + k * 120},${height - 6})`}>
      <rect width={10} height={4} y={-5} fill={f.display!(0).color} /><text {...style} x={14}>{getFieldDisplayName(f, frame)}</text>
    </g>)}
  </svg>;
}

export function States({ width, height, frames, theme }: Size) {
  const [left, bottom] = [120, 18];
  const row = (height - bottom) / frames.length;
  const times = [...new Set(frames.flatMap((f) => f.fields[0].values))].sort((a, b) => a - b);
  const at = new Map(times.map((t, i) => [t, left + ((width - left) * i) / times.length]));
  const cell = (width - left) / times.length;
  const style = text(theme);
  return <svg width={width} height={height}>
    {frames.map((frame, r) => <g key={r}>
      <text {...style} x={left - 6} y={(r + 0.5) * row + 3} textAnchor="end">{cut(getFieldDisplayName(frame.fields[1], frame), 20)}</text>
      {frame.fields[1].values.map((v, i) => <rect key={i} x={at.get(frame.fields[0].values[i])} y={r * row + row * 0.04}
        width={cell * 0.96} height={row * 0.92} fill={frame.fields[1].display!(v).color} fillOpacity={0.7} />)}
    </g>)}
    {[0, 0.5, 0.99].map((part) => <text key={part} {...style} x={left + (width - left) * part} y={height - 4}>{clock(times[Math.floor(part * (times.length - 1))])}</text>)}
  </svg>;
}

export function Heat({ width, height, frames, theme, unit }: Size & { unit: (v: number) => string }) {
  // Buckets of Prometheus hold those below them, too.
  const bound = (f: DataFrame) => (f.fields[1].labels!.le === '+Inf' ? Infinity : Number(f.fields[1].labels!.le));
  const sorted = [...frames].sort((a, b) => bound(a) - bound(b));
  const own = sorted.map((frame, i) => frame.fields[1].values.map((v, k) => Math.max(0, v - (i ? sorted[i - 1].fields[1].values[k] ?? 0 : 0))));
  const most = Math.max(...own.flat()) || 1;
  const [left, bottom] = [56, 18];
  const row = (height - bottom) / sorted.length;
  const cell = (width - left) / own[0].length;
  const style = text(theme);
  const times = sorted[0].fields[0].values;
  return <svg width={width} height={height}>
    {sorted.map((frame, r) => <g key={r}>
      <text {...style} x={left - 4} y={height - bottom - (r + 0.5) * row + 3} textAnchor="end">{Number.isFinite(bound(frame)) ? unit(bound(frame)) : '+Inf'}</text>
      {own[r].map((v, i) => <rect key={i} x={left + i * cell} y={height - bottom - (r + 1) * row} width={cell - 1} height={row - 1}
        fill="#5794f2" fillOpacity={Math.sqrt(v / most)} />)}
    </g>)}
    {[0, 0.5, 0.95].map((part) => <text key={part} {...style} x={left + (width - left) * part} y={height - 4}>{clock(times[Math.floor(part * (times.length - 1))])}</text>)}
  </svg>;
}

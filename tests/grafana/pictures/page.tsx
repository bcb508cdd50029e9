// Draws a board on live data of Prometheus: stats, time series and tables with Grafana's own
// components, and all panels with its units, thresholds, overrides and transformations.
import React from 'react';
import { createRoot } from 'react-dom/client';
import { lastValueFrom } from 'rxjs';
import {
  applyFieldOverrides, createTheme, DataFrame, FieldConfigOptionsRegistry, FieldType, getValueFormat, GrafanaTheme2,
  formattedValueToString, standardTransformers, standardTransformersRegistry, ThemeContext, transformDataFrame,
} from '@grafana/data';
import { BigValue, BigValueColorMode, BigValueGraphMode, BigValueTextMode, GlobalStyles, PanelChrome, Table, TimeSeries } from '@grafana/ui';
import { LegendDisplayMode } from '@grafana/schema';
import uplotCss from 'uplot/dist/uPlot.min.css';
import { Bars, Heat, States } from './drawings';
import { args, filled, frames, range } from './prometheus';

const CELL = { width: 60, height: 38, gap: 8 };
const STANDARD = 'unit min max decimals displayName noValue color thresholds mappings links'.split(' ');
const CUSTOM = `drawStyle lineInterpolation lineWidth lineStyle fillOpacity gradientMode showPoints pointSize stacking axisPlacement
  axisLabel axisSoftMin axisSoftMax axisColorMode scaleDistribution hideFrom thresholdsStyle spanNulls align cellOptions width filterable`.split(/\s+/);
const plain = { shouldApply: () => true, process: (v: any) => v, override: () => null, editor: () => null };
const registry = new FieldConfigOptionsRegistry(() => STANDARD.map((id) => ({ ...plain, id, path: id, name: id, isCustom: false }) as any));
CUSTOM.forEach((id) => registry.register({ ...plain, id: `custom.${id}`, path: id, name: id, isCustom: true } as any));
const transformers = new Map(Object.values(standardTransformers).map((t: any) => [t.id, t])); // some are listed twice
standardTransformersRegistry.setInit(() => [...transformers.values()].map((t) => ({ id: t.id, name: t.name, transformation: t, editor: () => null }) as any));

const theme = createTheme({ colors: { mode: args.get('theme') === 'light' ? 'light' : 'dark' } });
document.body.style.background = theme.colors.background.canvas;
const style = document.createElement('style');
style.textContent = uplotCss as any;
document.head.appendChild(style);

function dressed(panel: any, data: DataFrame[], theme: GrafanaTheme2): DataFrame[] {
  const { defaults = {}, overrides = [] } = panel.fieldConfig ?? {};
  const custom = { drawStyle: 'line', lineWidth: 1, fillOpacity: 8, showPoints: 'never', ...(defaults.custom ?? {}) };
  const color = defaults.color ?? { mode: 'palette-classic' };
  return applyFieldOverrides({
    data, theme, timeZone: 'utc', fieldConfigRegistry: registry, replaceVariables: (v: string) => filled(v),
    fieldConfig: { defaults: { color, ...defaults, custom }, overrides },
  } as any);
}

function Stat({ panel, data, width, height }: any) {
  return <div style={{ display: 'flex' }}>{data.map((frame: DataFrame, i: number) => {
    const value = frame.fields[1];
    return <BigValue key={i} theme={theme} width={width / data.length} height={height} value={value.display!(value.values[value.values.length - 1])}
      sparkline={{ y: value, x: frame.fields[0] } as any} colorMode={BigValueColorMode.Value} graphMode={BigValueGraphMode.Area}
      textMode={data.length > 1 ? BigValueTextMode.ValueAndName : BigValueTextMode.Value} />;
  })}</div>;
}

function Inside({ panel, data, width, height }: any) {
  const shared = { width, height, frames: data, theme };
  if (!data.length || !data.some((frame: DataFrame) => frame.length)) {
    return <div data-nothing={panel.title} style={{ padding: 16, opacity: 0.6 }}>{panel.fieldConfig?.defaults?.noValue ?? 'No data'}</div>;
  }
  switch (panel.type) {
    case 'stat': return <Stat panel={panel} data={data} width={width} height={height} />;
    case 'table': return <Table width={width} height={height} data={data[0]} />;
    case 'timeseries': return <TimeSeries {...shared} timeRange={range as any} timeZone="utc" options={{} as any}
      legend={{ displayMode: LegendDisplayMode.List, placement: 'bottom', showLegend: true, calcs: [] } as any} />;
    case 'barchart': return <Bars {...shared} axis={panel.options.xField} />;
    case 'status-history': return <States {...shared} />;
    case 'heatmap': return <Heat {...shared} unit={(v) => formattedValueToString(getValueFormat(panel.options.yAxis?.unit ?? 'short')(v))} />;
    default: return <div data-unknown={panel.type}>{panel.type}</div>;
  }
}

function Placed({ panel, data }: any) {
  const { x, y, w, h } = panel.gridPos;
  const box = { width: w * CELL.width - CELL.gap, height: h * CELL.height - CELL.gap };
  return <div style={{ position: 'absolute', left: x * CELL.width, top: y * CELL.height }}>
    {panel.type === 'row'
      ? <h4 style={{ margin: 6, color: theme.colors.text.primary }}>{filled(panel.title)}</h4>
      : <PanelChrome title={filled(panel.title)} description={panel.description} {...box}>
          {(width: number, height: number) => <Inside panel={panel} data={data} width={width} height={height} />}
        </PanelChrome>}
  </div>;
}

async function answered(panel: any): Promise<DataFrame[]> {
  const raw = (await Promise.all((panel.targets ?? []).map((target: any) => frames(target, panel)))).flat();
  const changed = panel.transformations?.length && raw.length ? await lastValueFrom(transformDataFrame(panel.transformations, raw)) : raw;
  return dressed(panel, changed as DataFrame[], theme);
}

async function draw() {
  const board = await (await fetch('/board.json')).json();
  const errors: string[] = [];
  const drawn = await Promise.all(board.panels.map(async (panel: any) => {
    const data = await answered(panel).catch((error) => { errors.push(`${panel.title}: ${error.message}`); return []; });
    return { panel, data };
  }));
  const rows = Math.max(...board.panels.map((p: any) => p.gridPos.y + p.gridPos.h));
  createRoot(document.getElementById('root')!).render(<ThemeContext.Provider value={theme}>
    <GlobalStyles />
    <div style={{ position: 'relative', height: rows * CELL.height, width: 24 * CELL.width }}>
      {drawn.map(({ panel, data }: any) => <Placed key={panel.id} panel={panel} data={data} />)}
    </div>
  </ThemeContext.Provider>);
  setTimeout(() => Object.assign(window, { __drawn: { errors, rows: rows * CELL.height } }), 2500);
}
void draw();

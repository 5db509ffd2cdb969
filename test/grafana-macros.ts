/** What Grafana and its ClickHouse plugin make of a query before they send it. */
export interface GrafanaRequest {
  readonly fromMs: number;
  readonly toMs: number;
  readonly intervalMs: number;
  readonly variables: Readonly<Record<string, readonly string[]>>;
}

type Macro = (args: readonly string[], request: GrafanaRequest) => string;

const seconds = (ms: number): string => `toDateTime(${Math.floor(ms / 1000)})`;
const milliseconds = (ms: number): string => `fromUnixTimestamp64Milli(${ms})`;

const macros: Readonly<Record<string, Macro>> = {
  fromTime: (_, r) => seconds(r.fromMs),
  toTime: (_, r) => seconds(r.toMs),
  fromTime_ms: (_, r) => milliseconds(r.fromMs),
  toTime_ms: (_, r) => milliseconds(r.toMs),
  timeFilter: ([column], r) => `${column} >= ${seconds(r.fromMs)} AND ${column} <= ${seconds(r.toMs)}`,
  timeFilter_ms: ([column], r) => `${column} >= ${milliseconds(r.fromMs)} AND ${column} <= ${milliseconds(r.toMs)}`,
  timeInterval: ([column], r) =>
    `toStartOfInterval(toDateTime(${column}), INTERVAL ${Math.max(1, Math.round(r.intervalMs / 1000))} second)`,
  timeInterval_ms: ([column], r) => `toStartOfInterval(toDateTime64(${column}, 3), INTERVAL ${r.intervalMs} millisecond)`,
};

/** Variables first, as the browser does it; then the macros, as the plugin does it. Throws for what neither knows. */
export function expandGrafana(sql: string, request: GrafanaRequest): string {
  const filled = sql.replaceAll(/\$\{(\w+)(?::(\w+))?\}/g, (_, name: string, format: string | undefined) => {
    const values = request.variables[name];
    if (values === undefined) throw new Error(`the variable ${name} is not known`);
    if (format === undefined || format === 'raw') return values.join(',');
    if (format !== 'singlequote') throw new Error(`the variable format ${format} is not known here`);
    return values.map((value) => `'${value.replaceAll("'", "\\'")}'`).join(',');
  });
  return filled.replaceAll(/\$__(\w+)(?:\(([^()]*)\))?/g, (_, name: string, args: string | undefined) => {
    const macro = macros[name];
    if (macro === undefined) throw new Error(`the macro $__${name} is not known`);
    return macro(args === undefined ? [] : args.split(',').map((arg) => arg.trim()), request);
  });
}
